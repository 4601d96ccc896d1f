use domain::scans::Severity;

/// The shape of one kind of credential.
#[derive(Debug)]
pub struct Rule {
    /// `aws-access-key`; findings carry it as `secrets.aws-access-key`.
    pub id: &'static str,
    /// What was found, as the start of a sentence.
    pub title: &'static str,
    pub severity: Severity,
    /// Lower-case texts one of which stands in every match: files without them are not searched.
    pub keywords: &'static [&'static str],
    /// The first group holds the value.
    pub pattern: &'static str,
    /// Shannon entropy that the value must have, in bits per byte.
    pub min_entropy: f64,
    /// The value may be short or made by a person, so that nothing derived from it may be shown.
    pub guessable: bool,
    /// Only the name it is assigned to tells what it is.
    pub by_name: bool,
    /// Where to revoke it.
    pub revoke: &'static str,
}

impl Rule {
    pub const fn new(
        id: &'static str,
        title: &'static str,
        keywords: &'static [&'static str],
        pattern: &'static str,
    ) -> Self {
        Self {
            id,
            title,
            severity: Severity::High,
            keywords,
            pattern,
            min_entropy: 3.0,
            guessable: false,
            by_name: false,
            revoke: "where it was issued",
        }
    }

    pub const fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    pub const fn min_entropy(mut self, bits: f64) -> Self {
        self.min_entropy = bits;
        self
    }

    pub const fn guessable(mut self) -> Self {
        self.guessable = true;
        self.min_entropy = 0.0;
        self
    }

    pub const fn by_name(mut self) -> Self {
        self.guessable = true;
        self.by_name = true;
        self.severity = Severity::Medium;
        self.min_entropy = 3.6;
        self
    }

    pub const fn revoke(mut self, place: &'static str) -> Self {
        self.revoke = place;
        self
    }
}
