use crate::{
    charge,
    limits::Subject,
    problem::{Code, Problem},
    state::App,
};

use super::caller::Client;

/// A guess at what only one person knows. It counts as wrong until it turns out to be right, and every
/// wrong one makes the next wait longer: those at the account, whoever makes them, and those of the
/// address. Whether there is such an account makes no difference.
pub(super) struct Guess<'a> {
    app: &'a App,
    subjects: Vec<Subject<'a>>,
}

impl<'a> Guess<'a> {
    pub fn begin(
        app: &'a App,
        client: &Client,
        account: Option<Subject<'a>>,
    ) -> Result<Self, Problem> {
        let counts = !charge::is_free(app, &client.scope);
        let address = client.scope.address.filter(|_| counts).map(Subject::Address);
        let mut guess = Self { app, subjects: Vec::with_capacity(2) };
        for subject in [address, account].into_iter().flatten() {
            if let Err(wait_s) = app.limits.begin_guess(&subject) {
                // What was not tried is no guess of the others.
                guess.right();
                let detail = "there were too many wrong guesses; the next has to wait";
                return Err(Problem::new(Code::TooManyRequests, detail).retry_after(wait_s));
            }
            guess.subjects.push(subject);
        }
        Ok(guess)
    }

    pub fn right(self) {
        for subject in &self.subjects {
            self.app.limits.guessed_right(subject);
        }
    }
}
