//! The messages of `xos.modeldefs`, with the core's names and numbers.

/// The value of a validator.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum ValidatorValue {
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct FieldValidator {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(oneof = "ValidatorValue", tags = "2, 3")]
    pub(super) value: Option<ValidatorValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct FieldOption {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) label: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct FieldRelation {
    #[prost(string, tag = "1")]
    pub(super) model: String,
    #[prost(string, tag = "2")]
    pub(super) r#type: String,
    #[prost(string, tag = "3")]
    pub(super) on_field: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ModelField {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) hint: String,
    #[prost(string, tag = "3")]
    pub(super) r#type: String,
    #[prost(message, optional, tag = "4")]
    pub(super) relation: Option<FieldRelation>,
    #[prost(message, repeated, tag = "5")]
    pub(super) validators: Vec<FieldValidator>,
    #[prost(message, repeated, tag = "6")]
    pub(super) options: Vec<FieldOption>,
    #[prost(string, tag = "7")]
    pub(super) default: String,
    #[prost(bool, tag = "8")]
    pub(super) read_only: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ModelDef {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) fields: Vec<ModelField>,
    #[prost(message, repeated, tag = "3")]
    pub(super) relations: Vec<FieldRelation>,
    #[prost(string, tag = "4")]
    pub(super) app: String,
    #[prost(string, tag = "5")]
    pub(super) verbose_name: String,
    #[prost(string, tag = "6")]
    pub(super) description: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ModelDefs {
    #[prost(message, repeated, tag = "1")]
    pub(super) items: Vec<ModelDef>,
}
