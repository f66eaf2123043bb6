#[doc(hidden)]
const _: () = {
    use ::xos_sync::__private as __x;
    #[automatically_derived]
    #[diagnostic::do_not_recommend]
    impl __x::FieldType for ServiceKind {
        const KIND: __x::Kind = __x::Kind::Text;
        const CHOICES: &'static [__x::ChoiceDef] =
            &[__x::choice("data", "Data Plane"), __x::choice("control_plane", "ControlPlane")];
        const CHOICES_OR_NONE: &'static [__x::ChoiceDef] = &[
            __x::ChoiceDef { value: ::core::option::Option::None, label: __x::Cow::Borrowed("Not said") },
            __x::choice("data", "Data Plane"),
            __x::choice("control_plane", "ControlPlane"),
        ];
        type Query = ServiceKind;
        fn empty() -> Self {
            ServiceKind::Other(::std::string::String::new())
        }
        fn to_value(&self) -> __x::Value {
            __x::Value::Text(::std::borrow::ToOwned::to_owned(__x::Choice::as_str(self)))
        }
        fn from_value(value: &__x::Value) -> ::core::result::Result<Self, __x::ConvertFault> {
            <::std::string::String as __x::FieldType>::from_value(value).map(ServiceKind::from)
        }
    }
    #[automatically_derived]
    #[diagnostic::do_not_recommend]
    impl __x::Optional for ServiceKind {}
    #[automatically_derived]
    impl __x::Choice for ServiceKind {
        fn as_str(&self) -> &str {
            match self {
                ServiceKind::Data => "data",
                ServiceKind::ControlPlane => "control_plane",
                ServiceKind::Other(other) => other.as_str(),
            }
        }
        fn label(&self) -> &str {
            match self {
                ServiceKind::Data => "Data Plane",
                ServiceKind::ControlPlane => "ControlPlane",
                ServiceKind::Other(other) => other.as_str(),
            }
        }
    }
    #[automatically_derived]
    impl ::core::fmt::Display for ServiceKind {
        fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
            f.write_str(__x::Choice::as_str(self))
        }
    }
    #[automatically_derived]
    impl ::core::convert::From<&str> for ServiceKind {
        fn from(value: &str) -> Self {
            match value {
                "data" => ServiceKind::Data,
                "control_plane" => ServiceKind::ControlPlane,
                other => ServiceKind::Other(::std::borrow::ToOwned::to_owned(other)),
            }
        }
    }
    #[automatically_derived]
    impl ::core::convert::From<::std::string::String> for ServiceKind {
        fn from(value: ::std::string::String) -> Self {
            match value.as_str() {
                "data" => ServiceKind::Data,
                "control_plane" => ServiceKind::ControlPlane,
                _ => ServiceKind::Other(value),
            }
        }
    }
    #[automatically_derived]
    impl ::core::convert::From<ServiceKind> for __x::Value {
        fn from(value: ServiceKind) -> Self {
            __x::Value::Text(::std::borrow::ToOwned::to_owned(__x::Choice::as_str(&value)))
        }
    }
};
