//! A model as the core tells it to the makers of forms.

use xos_model_client::{DefaultValue, FieldDef, FieldInfo, Kind, ModelInfo, Schema};

use super::messages::{FieldOption, FieldRelation, FieldValidator, ModelDef, ModelField, ValidatorValue};

/// All models that have objects, by name.
pub(super) fn models(schema: &Schema) -> Vec<ModelDef> {
    let mut models: Vec<&ModelInfo> = schema.models().iter().filter(|model| !model.def.is_abstract).collect();
    models.sort_by_key(|model| model.name());
    models.into_iter().map(|model| describe(schema, model)).collect()
}

fn describe(schema: &Schema, model: &ModelInfo) -> ModelDef {
    let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().unwrap_or_default().to_owned();
    // As in the core, forms have no lists of links.
    let shown = |field: &&FieldInfo| !field.def.gui_hidden && field.def.kind != Kind::Links;
    let mut fields: Vec<ModelField> = model.fields.iter().filter(shown).map(|it| field(schema, it)).collect();
    fields.sort_by(|one, other| one.name.cmp(&other.name));
    ModelDef {
        name: model.name().to_string(),
        fields,
        relations: relations(schema, model),
        app: model.def.app_label.to_string(),
        verbose_name: text(&model.def.verbose_name),
        description: model.def.help.to_string(),
    }
}

/// Its links to one object, also hidden ones, and then those that lead to it or to what it inherits from.
fn relations(schema: &Schema, model: &ModelInfo) -> Vec<FieldRelation> {
    let own = model.fields.iter().filter_map(|field| {
        let relation = relation(schema, field)?;
        Some(FieldRelation { on_field: field.def.name.to_string(), ..relation })
    });
    let chain = model.chain.iter().filter_map(|id| schema.by_id(*id));
    let back = chain.flat_map(|level| &level.reverse).filter_map(|link| {
        let from = schema.by_id(link.from)?;
        if from.field(&link.field).is_some_and(|field| field.def.kind == Kind::Links) {
            return None;
        }
        Some(FieldRelation {
            model: from.name().to_string(),
            r#type: "onetomany".to_owned(),
            on_field: link.field.clone(),
        })
    });
    own.chain(back).collect()
}

fn relation(schema: &Schema, field: &FieldInfo) -> Option<FieldRelation> {
    let target = schema.by_id(field.target.filter(|_| field.def.kind == Kind::Link)?)?;
    let r#type = "manytoone".to_owned();
    Some(FieldRelation { model: target.name().to_string(), r#type, on_field: String::new() })
}

fn field(schema: &Schema, field: &FieldInfo) -> ModelField {
    let def = &field.def;
    let suffix = if def.kind == Kind::Link { "_id" } else { "" };
    ModelField {
        name: format!("{}{suffix}", def.name),
        hint: if def.is_id() { String::new() } else { def.help.to_string() },
        r#type: kind(def).to_owned(),
        relation: relation(schema, field),
        validators: validators(def),
        options: options(def),
        default: default(def).unwrap_or_default(),
        read_only: def.feedback,
    }
}

fn kind(def: &FieldDef) -> &'static str {
    match def.kind {
        _ if !def.choices.is_empty() => "select",
        Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip if def.text => "text",
        Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip | Kind::Float => "string",
        Kind::Int32 | Kind::UInt32 | Kind::Link | Kind::Links => "number",
        Kind::Bool => "boolean",
        Kind::Date => "date",
    }
}

fn validators(def: &FieldDef) -> Vec<FieldValidator> {
    let is = |name: &str| FieldValidator { name: name.to_owned(), value: Some(ValidatorValue::Bool(true)) };
    let mut validators = Vec::new();
    match def.kind {
        Kind::Url => validators.push(is("url")),
        Kind::Ip => validators.push(is("ip")),
        _ => {}
    }
    if def.is_required() && !def.is_id() {
        validators.push(is("required"));
    }
    if let Some(longest) = def.max_length {
        let value = Some(ValidatorValue::Int(i64::from(longest)));
        validators.push(FieldValidator { name: "maxlength".to_owned(), value });
    }
    validators
}

fn options(def: &FieldDef) -> Vec<FieldOption> {
    let option = |choice: &xos_model_client::ChoiceDef| FieldOption {
        id: choice.value.as_deref().unwrap_or("None").to_owned(),
        label: choice.label.to_string(),
    };
    def.choices.iter().map(option).collect()
}

fn default(def: &FieldDef) -> Option<String> {
    Some(match def.default.as_ref()? {
        // The first object there is: a form has nothing to fill in.
        DefaultValue::Null | DefaultValue::First => "null".to_owned(),
        DefaultValue::Text(text) => text.to_string(),
        DefaultValue::Int(int) => int.to_string(),
        DefaultValue::Bool(bool) => bool.to_string(),
        DefaultValue::Float(float) => float.to_string(),
        DefaultValue::Now => "now()".to_owned(),
    })
}
