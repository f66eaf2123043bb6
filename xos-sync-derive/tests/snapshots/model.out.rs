#[doc(hidden)]
const _: () = {
    use ::xos_sync::__private as __x;
    #[automatically_derived]
    impl ::core::ops::Deref for HelloWorldServiceInstance {
        type Target = ServiceInstance;
        fn deref(&self) -> &ServiceInstance {
            &self.service_instance
        }
    }
    #[automatically_derived]
    impl ::core::ops::DerefMut for HelloWorldServiceInstance {
        fn deref_mut(&mut self) -> &mut ServiceInstance {
            &mut self.service_instance
        }
    }
    #[automatically_derived]
    impl __x::IsA<HelloWorldServiceInstance> for HelloWorldServiceInstance {}
    #[automatically_derived]
    #[diagnostic::do_not_recommend]
    impl<__B: ?::core::marker::Sized> __x::IsA<__B> for HelloWorldServiceInstance where
        ServiceInstance: __x::IsA<__B>
    {
    }
    #[allow(dead_code)]
    impl HelloWorldServiceInstance {
        #[doc = " The name of who is being greeted"]
        pub const HELLO_TO: __x::Field<HelloWorldServiceInstance, String> = __x::Field::new("hello_to");
        #[doc = "The field `address`, for queries."]
        const ADDRESS: __x::Field<HelloWorldServiceInstance, Option<Link<HelloWorldServiceInstance>>> =
            __x::Field::new("sendTo");
    }
    #[automatically_derived]
    impl ::core::default::Default for HelloWorldServiceInstance {
        fn default() -> Self {
            HelloWorldServiceInstance {
                service_instance: <ServiceInstance as ::core::default::Default>::default(),
                hello_to: <String as __x::FieldType>::from_default(__x::ConstDefault::Text("Arya")),
                address: <Option<Link<HelloWorldServiceInstance>> as __x::FieldType>::empty(),
            }
        }
    }
    #[automatically_derived]
    impl ::core::fmt::Display for HelloWorldServiceInstance {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            __x::display(self, f)
        }
    }
    #[automatically_derived]
    #[diagnostic::do_not_recommend]
    impl __x::Model for HelloWorldServiceInstance {
        const MODEL_NAME: &'static str = "HelloWorldServiceInstance";
        const FIELD_COUNT: usize = <ServiceInstance as __x::Model>::FIELD_COUNT + 2usize;
        const NAMES: __x::Names = __x::Names {
            own: &["hello_to", "sendTo"],
            idents: &["hello_to", "address"],
            base: ::core::option::Option::Some(&<ServiceInstance as __x::Model>::NAMES),
        };
        fn def() -> &'static __x::ModelDef {
            const FIELDS: &[__x::FieldDef] = &[
                __x::FieldSpec {
                    content: ::core::option::Option::Some(__x::Kind::Stripped),
                    max_length: ::core::option::Option::Some(200u32),
                    default: ::core::option::Option::Some(__x::ConstDefault::Text("Arya")),
                    ..__x::FieldSpec::new("hello_to", 1u16, "The name of who is being greeted")
                }
                .of(<String as __x::FieldType>::INFO),
                __x::FieldSpec {
                    unique_with: const { &[__x::Cow::Borrowed("hello_to")] },
                    reverse: ::core::option::Option::Some("greetings"),
                    ..__x::FieldSpec::new("sendTo", 2u16, "")
                }
                .of(<Option<Link<HelloWorldServiceInstance>> as __x::FieldType>::INFO),
            ];
            const VALIDATORS: &[__x::ValidatorDef] = &[];
            const NEEDS: &[::core::option::Option<__x::Need>] = &[
                ::core::option::Option::Some(<ServiceInstance as __x::Model>::def),
                ::core::option::Option::Some(<HelloWorldService as __x::Model>::def),
                <String as __x::FieldType>::INFO.target,
                <Option<Link<HelloWorldServiceInstance>> as __x::FieldType>::INFO.target,
            ];
            static NEEDED: [__x::Need; __x::count_needs(NEEDS)] = __x::collect_needs(NEEDS);
            static DEF: __x::ModelDef = __x::ModelDef {
                name: __x::Cow::Borrowed("HelloWorldServiceInstance"),
                app_label: __x::Cow::Borrowed("hello-world"),
                version: __x::Cow::Borrowed(::core::env!("CARGO_PKG_VERSION")),
                base: ::core::option::Option::Some(__x::Cow::Borrowed(
                    <ServiceInstance as __x::Model>::MODEL_NAME,
                )),
                owner_class: ::core::option::Option::Some(__x::Cow::Borrowed(
                    <HelloWorldService as __x::Model>::MODEL_NAME,
                )),
                is_abstract: false,
                plural: ::core::option::Option::None,
                verbose_name: ::core::option::Option::None,
                policy: ::core::option::Option::None,
                validators: __x::Cow::Borrowed(VALIDATORS),
                custom_python: false,
                fields: __x::Cow::Borrowed(FIELDS),
                help: __x::Cow::Borrowed("One greeting."),
                needs: &NEEDED,
            };
            &DEF
        }
        fn shape() -> &'static __x::Arc<__x::Shape> {
            static SHAPE: __x::LazyLock<__x::Arc<__x::Shape>> =
                __x::LazyLock::new(__x::shape_of::<HelloWorldServiceInstance>);
            &SHAPE
        }
        fn id(&self) -> __x::ObjectId {
            <ServiceInstance as __x::Model>::id(&self.service_instance)
        }
        fn origin(&self) -> &__x::Origin {
            <ServiceInstance as __x::Model>::origin(&self.service_instance)
        }
        fn origin_mut(&mut self) -> &mut __x::Origin {
            <ServiceInstance as __x::Model>::origin_mut(&mut self.service_instance)
        }
        fn display_name(&self) -> ::core::option::Option<&str> {
            <ServiceInstance as __x::Model>::display_name(&self.service_instance)
        }
        fn write_values(&self, out: &mut ::std::vec::Vec<__x::Value>) {
            <ServiceInstance as __x::Model>::write_values(&self.service_instance, out);
            out.push(<String as __x::FieldType>::to_value(&self.hello_to));
            out.push(<Option<Link<HelloWorldServiceInstance>> as __x::FieldType>::to_value(&self.address));
        }
        fn read_values(
            reader: &mut __x::RecordReader<'_>,
        ) -> ::core::result::Result<Self, __x::ConvertFault> {
            ::core::result::Result::Ok(HelloWorldServiceInstance {
                service_instance: <ServiceInstance as __x::Model>::read_values(reader)?,
                hello_to: <String as __x::FieldType>::read(reader)?,
                address: <Option<Link<HelloWorldServiceInstance>> as __x::FieldType>::read(reader)?,
            })
        }
    }
    const _: () = __x::rules::ident_not_inherited(
        &<ServiceInstance as __x::Model>::NAMES,
        "service_instance",
        "the base has a field `service_instance` already, and this one would hide it; give it another name",
    );
    const _: () = __x::rules::not_inherited(
        &<ServiceInstance as __x::Model>::NAMES,
        "hello_to",
        "the base has a field `hello_to` already, and this one would hide it; give it another name",
    );
    const _: () = __x::rules::ident_not_inherited(
        &<ServiceInstance as __x::Model>::NAMES,
        "address",
        "the base has a field `address` already, and this one would hide it; give it another name",
    );
    const _: () = __x::rules::name_not_inherited(
        &<ServiceInstance as __x::Model>::NAMES,
        "sendTo",
        "the base has a field that the core calls \"sendTo\" already; give this one another name",
    );
    const _: () = __x::rules::is_string(
        <String as __x::FieldType>::INFO,
        "`max_length` is for texts (String, or an enum with #[derive(XosChoice)]) and times; remove it or change the field's type",
    );
    const _: () = __x::rules::is_text(
        <String as __x::FieldType>::INFO,
        "`stripped` is for texts (String, or an enum with #[derive(XosChoice)]); remove it or change the field's type",
    );
    const _: () = __x::rules::default_fits(
        <String as __x::FieldType>::INFO,
        __x::ConstDefault::Text("Arya"),
        "a text can be the default of a text (String, or an enum with #[derive(XosChoice)]) only; change the default or the field's type",
    );
    const _: () = __x::rules::is_link(
        <Option<Link<HelloWorldServiceInstance>> as __x::FieldType>::INFO,
        "`reverse` is for links (Link, Option<Link> or Links); remove it or change the field's type",
    );
};
#[doc = "The fields of [`HelloWorldServiceInstance`], as constants of every model that inherits from it."]
pub trait HelloWorldServiceInstanceFields:
    ::xos_sync::__private::Model + ::xos_sync::__private::IsA<HelloWorldServiceInstance>
{
    #[doc = " The name of who is being greeted"]
    const HELLO_TO: ::xos_sync::__private::Field<HelloWorldServiceInstance, String> =
        HelloWorldServiceInstance::HELLO_TO;
}
#[automatically_derived]
impl<__M: ::xos_sync::__private::Model + ::xos_sync::__private::IsA<HelloWorldServiceInstance>>
    HelloWorldServiceInstanceFields for __M
{
}
