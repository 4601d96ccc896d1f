use std::collections::HashMap;

use super::{Request, Rule};
use crate::{Action, Effect, Role};

/// Which rules are about an action and a principal, so that a decision looks at no others.
#[derive(Default)]
pub(super) struct Index {
    /// Places of rules, by action; empty where there is no rule at all.
    deny: Vec<Slots>,
    allow: Vec<Slots>,
}

/// The rules about one action, by whom they are about.
#[derive(Default, Clone)]
struct Slots {
    everyone: Vec<u32>,
    by_role: [Vec<u32>; Role::ALL.len()],
    by_name: HashMap<String, Vec<u32>>,
}

impl Index {
    pub fn of(rules: &[Rule]) -> Self {
        let mut index = Self {
            deny: vec![Slots::default(); Action::ALL.len()],
            allow: vec![Slots::default(); Action::ALL.len()],
        };
        for (place, rule) in (0..).zip(rules) {
            let by_action = match rule.policy.effect() {
                Effect::Deny => &mut index.deny,
                Effect::Allow => &mut index.allow,
            };
            for action in rule.policy.actions().iter() {
                by_action[action as usize].add(place, rule);
            }
        }
        index
    }

    /// Each place once or, where a rule names the principal in several ways, more often.
    pub fn about<'a>(
        &'a self,
        request: &Request<'a>,
        effect: Effect,
    ) -> impl Iterator<Item = u32> + 'a {
        let by_action = match effect {
            Effect::Deny => &self.deny,
            Effect::Allow => &self.allow,
        };
        let principal = request.principal;
        let slots = by_action.get(request.action as usize);
        let slots = slots.zip(principal.member()).into_iter();
        slots.flat_map(move |(slots, member)| {
            let by_role = &slots.by_role[member.role as usize];
            let by_name = principal.names().filter_map(|name| slots.by_name.get(name));
            [&slots.everyone, by_role].into_iter().chain(by_name).flatten().copied()
        })
    }
}

impl Slots {
    fn add(&mut self, place: u32, rule: &Rule) {
        let audience = rule.policy.audience();
        if audience.is_everyone() {
            self.everyone.push(place);
        }
        for role in &audience.roles {
            self.by_role[*role as usize].push(place);
        }
        for name in audience.names() {
            self.by_name.entry(name.to_owned()).or_default().push(place);
        }
    }
}
