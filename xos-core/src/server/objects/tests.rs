//! Who creates, and who may say so.

use std::sync::Arc;

use tonic::Code;
use xos_model_client::{FieldPos, ObjectId, Record, Value};

use super::ask::Ask;
use crate::EmbeddedCore;
use crate::server::World;
use crate::server::users::{Person, Who};

fn link(id: i32) -> Value {
    Value::Link(ObjectId::new(id))
}

/// What becomes of the creator in a write by somebody; `stored` is what the object has, `None` for a new one.
fn signed(
    is_admin: bool,
    stored: Option<Value>,
    given: Option<Value>,
) -> Result<Option<Value>, (Code, String)> {
    let world = World::new(EmbeddedCore::in_memory().unwrap(), Vec::new());
    let served = world.objects.served(&world.core);
    let model = served.schema.model("Slice").unwrap();
    let at = model.shape.position("creator").unwrap();
    let person = Person { id: ObjectId::new(7), email: "a@b".into(), is_admin };
    let ask = Ask { world: &world, served: &served, model, who: Who::User(Arc::new(person)) };
    let before = stored.map(|creator| {
        let mut values = vec![Value::Null; model.fields.len()];
        values[at] = creator;
        Record::new(model.shape.clone(), values)
    });
    let mut fields: Vec<(FieldPos, Value)> =
        given.map(|creator| (at as FieldPos, creator)).into_iter().collect();
    let signed = ask.sign(&mut fields, before.as_ref());
    signed.map_err(|status| (status.code(), status.message().to_owned()))?;
    Ok(fields.pop().map(|(_, value)| value))
}

#[test]
fn a_slice_is_created_by_who_creates_it() {
    for is_admin in [false, true] {
        assert_eq!(signed(is_admin, None, None), Ok(Some(link(7))));
        assert_eq!(signed(is_admin, None, Some(Value::Null)), Ok(Some(link(7))));
        assert_eq!(signed(is_admin, None, Some(link(7))), Ok(Some(link(7))));
        assert_eq!(signed(is_admin, Some(link(3)), None), Ok(None));
        assert_eq!(signed(is_admin, Some(Value::Null), Some(link(7))), Ok(Some(link(7))));
        assert_eq!(signed(is_admin, Some(link(3)), Some(link(3))), Ok(Some(link(3))));
    }
    assert_eq!(signed(true, None, Some(link(9))), Ok(Some(link(9))));
    assert_eq!(signed(true, Some(link(3)), Some(link(9))), Ok(Some(link(9))));
    let refused = |text: &str, error: &str| {
        format!("{{\"fields\": {{}}, \"specific_error\": \"{text}\", \"error\": \"{error}\"}}")
    };
    let denied = (
        Code::PermissionDenied,
        refused("Insufficient privileges to change slice creator", "XOSPermissionDenied"),
    );
    for (stored, given) in
        [(None, link(9)), (Some(link(3)), link(7)), (Some(link(7)), link(9)), (Some(link(3)), Value::Null)]
    {
        assert_eq!(signed(false, stored, Some(given)), Err(denied.clone()));
    }
    let without = (Code::InvalidArgument, refused("Slice has no creator", "XOSValidationError"));
    assert_eq!(signed(true, Some(link(3)), Some(Value::Null)), Err(without));
}
