use serde_json::Value;

use super::{Callers, with_body};
use crate::{accounts::server, operations::Operation, support::send};

/// What somebody would like to be set beside what an operation takes.
const FIELDS: [&str; 12] = [
    "id",
    "org_id",
    "organization_id",
    "user_id",
    "role",
    "roles",
    "permissions",
    "platform",
    "verified",
    "status",
    "created_at",
    "unforeseen",
];

#[tokio::test]
async fn no_operation_takes_a_field_that_it_does_not_name() {
    let server = server().await;
    let callers = Callers::of(&server).await;
    let mut attacked = 0;
    for operation in Operation::all() {
        let Some(body @ Value::Object(_)) = &operation.body else { continue };
        for field in FIELDS {
            let known = |fields: &Vec<String>| fields.iter().any(|known| known == field);
            if operation.fields.as_ref().is_some_and(known) {
                continue;
            }
            let mut body = body.clone();
            body[field] = "owner".into();
            let request = callers.request(&server, &operation, &callers.own(&operation));
            let answer = send(with_body(request, Some(&body))).await;
            let (id, status) = (&operation.id, answer.status);
            assert!(matches!(status.as_u16(), 400 | 422), "{id} with {field}: {}", answer.text);
            assert!(answer.text.contains(field), "{id} with {field}: {}", answer.text);
            attacked += 1;
        }
    }
    assert!(attacked > 300, "{attacked}");
}
