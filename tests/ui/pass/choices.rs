// Choices as an author writes them, and what they get.
use xos_sync::model_client::{Choice, FieldType, Value};
use xos_sync::prelude::*;

/// How somebody feels.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(none = "None at all")]
pub enum Mood {
    Happy,
    #[xos(value = "sad", label = "Very sad")]
    VerySad,
    /// What this program does not know.
    Unknown(String),
}

#[test]
fn a_choice_is_its_value() {
    for (mood, value, label) in [
        (Mood::Happy, "happy", "Happy"),
        (Mood::VerySad, "sad", "Very sad"),
        (Mood::Unknown("angry".into()), "angry", "angry"),
    ] {
        assert_eq!((mood.as_str(), mood.label(), mood.to_string().as_str()), (value, label, value));
        assert_eq!((Mood::from(value), Mood::from(value.to_owned())), (mood.clone(), mood.clone()));
        assert_eq!((mood.to_value(), Value::from(mood.clone())), (Value::from(value), Value::from(value)));
        assert_eq!(Mood::from_value(&Value::from(value)), Ok(mood));
    }
    assert!(Mood::from_value(&Value::Int(1)).is_err());
    assert_eq!(Option::<Mood>::from_value(&Value::Null), Ok(None));
}
