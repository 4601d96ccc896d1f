use askama::Template;

/// The words of a mail, before they are text or HTML.
pub struct Page {
    pub subject: String,
    /// Before the action; what follows it is in `after`.
    pub before: Vec<String>,
    pub action: Option<Action>,
    pub after: Vec<String>,
}

pub struct Action {
    pub label: &'static str,
    pub url: String,
    pub until: Option<String>,
}

impl Page {
    pub fn new(subject: String) -> Self {
        Self { subject, before: Vec::new(), action: None, after: Vec::new() }
    }

    pub fn line(mut self, line: impl Into<String>) -> Self {
        let lines = if self.action.is_some() { &mut self.after } else { &mut self.before };
        lines.push(line.into());
        self
    }
}

#[derive(Template)]
#[template(path = "mail.txt")]
pub struct Text<'a> {
    pub page: &'a Page,
    pub name: Option<&'a str>,
    pub product: &'a str,
}

/// Everything in it is escaped by the engine.
#[derive(Template)]
#[template(path = "mail.html")]
pub struct Html<'a> {
    pub page: &'a Page,
    pub name: Option<&'a str>,
    pub product: &'a str,
}
