//! A page as a list of its tags: enough to see what it loads and where its forms go.

use url::Url;

use super::{html, html::Tag, response::Response};

pub(super) struct Document {
    /// What relative addresses of the page are relative to.
    pub base: Url,
    pub tags: Vec<Tag>,
}

impl Document {
    /// `None` when the answer is not a page that can be read.
    pub fn of(page: &Response) -> Option<Self> {
        if !page.is_html() || page.is_encoded() {
            return None;
        }
        let tags = html::tags(&page.text());
        let base = tags.iter().find(|tag| tag.name == "base").and_then(|tag| tag.attribute("href"));
        let base = base.and_then(|href| page.url.join(href).ok());
        Some(Self { base: base.unwrap_or_else(|| page.url.clone()), tags })
    }

    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Tag> {
        self.tags.iter().filter(move |tag| tag.name == name)
    }

    /// The absolute address in an attribute.
    pub fn address(&self, tag: &Tag, attribute: &str) -> Option<Url> {
        self.base.join(tag.attribute(attribute)?.trim()).ok()
    }

    pub fn meta(&self, name: &str) -> Option<String> {
        self.meta_by("name", name)
    }

    /// The Content-Security-Policy that the page itself carries.
    pub fn policy(&self) -> Option<String> {
        self.meta_by("http-equiv", "content-security-policy")
    }

    fn meta_by(&self, attribute: &str, value: &str) -> Option<String> {
        let is_it = |tag: &&Tag| {
            tag.attribute(attribute).is_some_and(|found| found.eq_ignore_ascii_case(value))
        };
        self.named("meta").find(is_it)?.attribute("content").map(str::to_owned)
    }
}
