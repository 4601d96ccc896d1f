use secrecy::{ExposeSecret, SecretString};
use zxcvbn::{Score, feedback::Feedback};

use super::{MAX_BYTES, MIN_CHARS, OptionsError, PasswordOptions};

/// Hints beyond these are left out: each makes the estimate slower.
const MAX_HINTS: usize = 20;
const MAX_HINT_CHARS: usize = 100;

/// What a new password must withstand.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    min_score: Score,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    #[error("a password has at least {MIN_CHARS} characters")]
    TooShort,
    #[error("a password has at most {MAX_BYTES} bytes")]
    TooLong,
    /// The text says why and what would be better.
    #[error("the password is too easy to guess: {0}")]
    Guessable(String),
}

impl Policy {
    pub fn new(options: &PasswordOptions) -> Result<Self, OptionsError> {
        let min_score = match options.min_score {
            0 => Score::Zero,
            1 => Score::One,
            2 => Score::Two,
            3 => Score::Three,
            4 => Score::Four,
            _ => return Err(OptionsError::Score),
        };
        Ok(Self { min_score })
    }

    /// Judges a password by how many guesses it would take someone who knows the hints, which are the
    /// person's own name, address and so on. Takes up to some milliseconds.
    pub fn judge(&self, password: &SecretString, hints: &[String]) -> Result<(), Weakness> {
        let password = password.expose_secret();
        if password.len() > MAX_BYTES {
            return Err(Weakness::TooLong);
        }
        if password.chars().count() < MIN_CHARS {
            return Err(Weakness::TooShort);
        }
        let hints: Vec<_> = hints.iter().take(MAX_HINTS).flat_map(|hint| words(hint)).collect();
        let hints: Vec<_> = hints.iter().map(String::as_str).collect();
        let estimate = zxcvbn::zxcvbn(password, &hints);
        if estimate.score() >= self.min_score {
            return Ok(());
        }
        Err(Weakness::Guessable(estimate.feedback().map_or_else(String::new, advice)))
    }
}

/// A hint as a whole and in its parts: of an address, the name and the domain are guessed alone too.
fn words(hint: &str) -> Vec<String> {
    let hint: String = hint.chars().take(MAX_HINT_CHARS).collect();
    let parts = hint.split(|c: char| !c.is_alphanumeric()).filter(|part| part.chars().count() > 2);
    parts.map(str::to_owned).chain([hint.clone()]).collect()
}

fn advice(feedback: &Feedback) -> String {
    let warning = feedback.warning().map(|warning| warning.to_string());
    let suggestions = feedback.suggestions().iter().map(ToString::to_string);
    warning.into_iter().chain(suggestions).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judge(password: &str, hints: &[&str]) -> Result<(), Weakness> {
        let hints: Vec<_> = hints.iter().map(|hint| (*hint).to_owned()).collect();
        let policy = Policy::new(&PasswordOptions::default()).unwrap();
        policy.judge(&password.into(), &hints)
    }

    #[test]
    fn a_long_phrase_is_taken_and_a_common_word_is_not() {
        assert_eq!(judge("violet anchor rides the moth", &[]), Ok(()));
        for weak in ["password1", "qwertyuiop", "aaaaaaaaaaaa", "20260101", "P@ssw0rd!"] {
            assert!(matches!(judge(weak, &[]), Err(Weakness::Guessable(_))), "{weak}");
        }
    }

    #[test]
    fn a_password_made_of_the_persons_own_data_is_weak() {
        let password = "lovelacewibblesnap";
        assert_eq!(judge(password, &[]), Ok(()));
        assert!(judge(password, &["ada.lovelace@wibblesnap.example"]).is_err());
    }

    #[test]
    fn advice_says_what_is_wrong() {
        let text = judge("password1", &[]).unwrap_err().to_string();
        assert!(text.len() > "the password is too easy to guess: ".len(), "{text}");
    }

    #[test]
    fn lengths_are_bounded_on_both_sides() {
        assert_eq!(judge("x7$Qz", &[]), Err(Weakness::TooShort));
        assert_eq!(judge(&"x".repeat(MAX_BYTES + 1), &[]), Err(Weakness::TooLong));
    }

    #[test]
    fn a_policy_asks_for_a_score_there_is() {
        let options = PasswordOptions { min_score: 5, ..PasswordOptions::default() };
        assert_eq!(Policy::new(&options).unwrap_err(), OptionsError::Score);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_text_is_judged(password in "\\PC{0,120}", hint: String) {
            let _ = judge(&password, &[&hint]);
        }
    }
}
