use domain::scans::{Engine, MAX_WARNINGS, Warning};

use super::bound;

/// The warnings about one engine: first those of the platform, then its own as far as they fit.
pub(super) struct Warnings {
    engine: Engine,
    ours: Vec<Warning>,
    theirs: Vec<Warning>,
    left_out: u64,
}

impl Warnings {
    pub fn new(engine: Engine) -> Self {
        Self { engine, ours: Vec::new(), theirs: Vec::new(), left_out: 0 }
    }

    pub fn say(&mut self, code: &str, message: String) {
        let warning = Warning { code: code.to_owned(), message, engine: None };
        self.ours.push(bound::warning(warning, self.engine));
    }

    pub fn add(&mut self, warning: Warning) {
        if self.theirs.len() < MAX_WARNINGS {
            self.theirs.push(bound::warning(warning, self.engine));
        } else {
            self.left_out += 1;
        }
    }

    pub fn into_list(mut self) -> Vec<Warning> {
        let room = MAX_WARNINGS.saturating_sub(self.ours.len() + 1);
        let more = self.left_out + self.theirs.len().saturating_sub(room) as u64;
        self.theirs.truncate(room);
        if more > 0 {
            self.say("more-warnings", format!("{more} more warnings were left out"));
        }
        self.ours.append(&mut self.theirs);
        self.ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_own_warnings_come_first_and_the_rest_is_counted() {
        let mut warnings = Warnings::new(Engine::Secrets);
        for number in 0..1000 {
            let message = format!("file {number}\u{7}");
            warnings.add(Warning { code: "File too large!".to_owned(), message, engine: None });
        }
        warnings.say("engine-crashed", "it ended with exit code 1".to_owned());
        let list = warnings.into_list();
        assert_eq!(list.len(), MAX_WARNINGS);
        assert_eq!(list[0].code, "engine-crashed");
        assert_eq!(list[1].message, "902 more warnings were left out");
        assert_eq!((list[2].code.as_str(), list[2].message.as_str()), ("iletoolarge", "file 0"));
    }
}
