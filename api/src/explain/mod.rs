//! Why somebody may or may not do something, now or at an earlier point of the log, with the events
//! behind it.

mod history;
mod model;
mod question;

use access::Action;
use poem_openapi::{OpenApi, payload::Json};

use crate::{
    auth::{By, Caller, may},
    document::Tag,
    problem::{Code, Problem},
    state::App,
};
use model::{ExplainRequest, ExplanationView};
use question::{Question, Subject};

pub(crate) struct Explain {
    pub app: App,
}

#[OpenApi(tag = "Tag::Policies")]
impl Explain {
    /// Ask why somebody may or may not do something
    ///
    /// About the caller, or with `access:explain_others` about a member or a key of the organisation; now,
    /// or as of a position of the log or a time. Nothing is done, and nothing is written to the log.
    #[oai(path = "/v1/access/explain", method = "post", operation_id = "explain_access")]
    async fn explain(
        &self,
        caller: Caller,
        body: Json<ExplainRequest>,
    ) -> Result<Json<ExplanationView>, Problem> {
        let (app, request) = (&self.app, body.0);
        let (subject, own) = subject(&caller, &request)?;
        if !own && !may(app, &caller, Action::AccessExplainOthers).await? {
            let action = Action::AccessExplainOthers;
            let detail = format!("to ask about somebody else takes `{action}`");
            return Err(Problem::new(Code::Forbidden, detail));
        }
        let shows_policies = may(app, &caller, Action::PoliciesRead).await?;
        let question = Question::new(app, &caller, subject, own, request).await?;
        let mut explanation = question.answer().await?;
        if !shows_policies {
            explanation.considered.clear();
        }
        Ok(Json(explanation))
    }
}

/// Whom the question is about, and whether that is the caller.
fn subject(caller: &Caller, request: &ExplainRequest) -> Result<(Subject, bool), Problem> {
    let refused =
        |field: &str, text: &str| Problem::new(Code::ValidationFailed, text).at(field, text);
    let caller_is = match &caller.by {
        By::Key(key) => Subject::Key(key.row.key_id),
        By::Member(member) => Subject::User(member.user),
    };
    let subject = match (&request.user_id, &request.key_id) {
        (None, None) => caller_is,
        (Some(id), None) => {
            Subject::User(id.parse().map_err(|_| refused("user_id", "this is no id of a user"))?)
        }
        (None, Some(id)) => {
            Subject::Key(id.parse().map_err(|_| refused("key_id", "this is no id of a key"))?)
        }
        (Some(_), Some(_)) => {
            return Err(refused("key_id", "the question is about a user or about a key"));
        }
    };
    Ok((subject, subject == caller_is))
}
