use std::{collections::BTreeMap, sync::Arc};

use domain::{Decide, PersonalField, Sealed};
use uuid::Uuid;
use vault::{Access, Place};

use super::PersonalError;
use crate::Journal;

type Accesses = BTreeMap<Uuid, Arc<Access>>;

impl Journal {
    /// Seals what is plain in an event that is about to be appended under this id.
    pub(crate) async fn seal<A: Decide>(
        &self,
        event_id: Uuid,
        event: &mut A::Event,
    ) -> Result<(), PersonalError> {
        let mut accesses = Accesses::new();
        for subject in plain_subjects::<A>(event)? {
            let access = self.keys()?.access_or_make(subject, self.inner.clock.now()).await?;
            accesses.insert(subject, access);
        }
        if accesses.is_empty() {
            return Ok(());
        }
        let mut outcome = Ok(());
        A::personal(event, &mut |field| {
            if outcome.is_ok() {
                outcome = seal_field(event_id, field, &accesses);
            }
        });
        outcome
    }
}

fn plain_subjects<A: Decide>(event: &mut A::Event) -> Result<Vec<Uuid>, PersonalError> {
    let mut subjects = Vec::new();
    let mut outcome = Ok(());
    A::personal(event, &mut |field| match field.value.plain_json() {
        Ok(Some(_)) => subjects.push(field.subject),
        Ok(None) => {}
        Err(error) => outcome = Err(error.into()),
    });
    outcome.map(|()| subjects)
}

fn seal_field(
    event_id: Uuid,
    field: PersonalField<'_>,
    accesses: &Accesses,
) -> Result<(), PersonalError> {
    let Some(json) = field.value.plain_json()? else { return Ok(()) };
    let access = accesses.get(&field.subject).ok_or(PersonalError::Missing(field.subject))?;
    let Access::Key(key) = access.as_ref() else { return Err(PersonalError::Erased) };
    let place = Place {
        subject: &field.subject.to_string(),
        event: &event_id.to_string(),
        field: field.name,
    };
    let text = key.seal(&place, &json, &mut rand::rng())?;
    field.value.seal(Sealed { event: event_id, text });
    Ok(())
}
