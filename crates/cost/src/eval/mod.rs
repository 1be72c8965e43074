//! Runs the rules of a resource type on a resource.

mod expression;
mod function;
mod part;
mod price;
mod region;
mod statement;
mod value;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rust_decimal::Decimal;

use crate::book::Book;
use crate::plan::{Configuration, World};
use crate::rules::Rules;
use crate::usage::Usage;

pub(crate) use value::Value;

/// Hours of a month, as the clouds' calculators count.
pub(crate) const MONTH: u32 = 730;

/// What the evaluator has worked out about a resource.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) region: Option<String>,
    pub(crate) parts: Vec<Part>,
    /// It was found to cost nothing by itself.
    pub(crate) free: bool,
    /// Why it can't be told.
    pub(crate) unknown: Option<String>,
    /// What the book lacks.
    pub(crate) missing: Option<String>,
    /// What was taken for granted.
    pub(crate) assumptions: Vec<String>,
}

/// One line of a cost.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) path: Vec<String>,
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) by_usage: bool,
    /// In `unit`; `None` if no usage was given.
    pub(crate) quantity: Option<Decimal>,
    /// Of one `unit`.
    pub(crate) unit_price: Option<Decimal>,
    pub(crate) source: String,
}

/// Who refers to a resource, by its index.
type Users = HashMap<usize, Vec<usize>>;

/// One side of a plan, being priced.
pub(crate) struct Side<'a> {
    pub(crate) world: &'a World,
    pub(crate) configuration: &'a Configuration,
    pub(crate) rules: &'a Rules,
    pub(crate) book: &'a Book,
    pub(crate) usage: &'a Usage,
    /// Where resources are whose region nothing tells.
    pub(crate) default_region: Option<&'a str>,
    regions: RefCell<HashMap<usize, Option<String>>>,
    links: RefCell<HashMap<(usize, String), Vec<usize>>>,
    users: RefCell<HashMap<(String, String), Rc<Users>>>,
}

impl<'a> Side<'a> {
    pub(crate) fn new(
        world: &'a World,
        configuration: &'a Configuration,
        rules: &'a Rules,
        book: &'a Book,
        usage: &'a Usage,
        default_region: Option<&'a str>,
    ) -> Self {
        Self {
            world,
            configuration,
            rules,
            book,
            usage,
            default_region,
            regions: RefCell::default(),
            links: RefCell::default(),
            users: RefCell::default(),
        }
    }

    /// Prices the resource at an index of the world; `None` if its type has no rules.
    pub(crate) fn price(&'a self, index: usize) -> Option<Outcome> {
        let entity = self.world.entities.get(index)?;
        let body = self.rules.body(&entity.kind)?;
        let mut run = statement::Run::new(self, index);
        run.block(body);
        Some(run.finish())
    }

    /// The resources that an attribute of a resource refers to: by configuration, else by what it holds.
    pub(crate) fn linked(&self, index: usize, attribute: &str) -> Vec<usize> {
        let key = (index, attribute.to_owned());
        if let Some(known) = self.links.borrow().get(&key) {
            return known.clone();
        }
        let found = self.find_linked(index, attribute);
        self.links.borrow_mut().insert(key, found.clone());
        found
    }

    fn find_linked(&self, index: usize, attribute: &str) -> Vec<usize> {
        let entity = &self.world.entities[index];
        let module = entity.module_path();
        let mut found: Vec<usize> = Vec::new();
        for target in self
            .configuration
            .targets(&module, &entity.base(), attribute)
        {
            found.extend(self.instances(index, &target));
        }
        // Unresolved, or resolved to several instances: what the attribute holds may still name one.
        if found.len() != 1 {
            let held = Value::Json(&entity.values, None).path(attribute);
            let mut named: Vec<usize> = Vec::new();
            for text in held.texts() {
                let short = text.rsplit('/').next().unwrap_or(&text);
                for name in [text.as_str(), short] {
                    for other in self.world.identified(name) {
                        if *other != index && !named.contains(other) {
                            named.push(*other);
                        }
                    }
                }
            }
            if found.is_empty() {
                found = named;
            } else if found.iter().any(|one| named.contains(one)) {
                found.retain(|one| named.contains(one));
            }
        }
        found.retain(|other| *other != index);
        found.dedup();
        found
    }

    /// The instances of a target that an instance means: the one of its own key if there is one.
    fn instances(&self, index: usize, target: &crate::plan::Target) -> Vec<usize> {
        let entity = &self.world.entities[index];
        let all = self.world.instances(&target.module, &target.base);
        let same_module: Vec<usize> = all
            .iter()
            .copied()
            .filter(|other| {
                let other = &self.world.entities[*other];
                other.module == entity.module || target.module != entity.module_path()
            })
            .collect();
        let pick = |key: &str| -> Vec<usize> {
            let with = |other: &&usize| self.world.entities[**other].key == key;
            same_module.iter().filter(with).copied().collect()
        };
        if !target.key.is_empty() {
            let exact = pick(&target.key);
            if !exact.is_empty() {
                return exact;
            }
        }
        if !entity.key.is_empty() {
            let own = pick(&entity.key);
            if !own.is_empty() {
                return own;
            }
            // `for_each = { for one in others : one.name => one }`
            let key = entity.key.trim_matches(['[', ']']).trim_matches('"');
            let named = self.world.identified(key);
            let by_name: Vec<usize> = same_module
                .iter()
                .copied()
                .filter(|one| named.contains(one))
                .collect();
            if !by_name.is_empty() {
                return by_name;
            }
        }
        same_module
    }

    /// The resources of a type whose attribute refers to this one.
    pub(crate) fn users(&self, index: usize, kind: &str, attribute: &str) -> Vec<usize> {
        let key = (kind.to_owned(), attribute.to_owned());
        let known = self.users.borrow().get(&key).cloned();
        let map = known.unwrap_or_else(|| {
            let mut map = Users::new();
            for user in self.world.of_kind(kind) {
                for target in self.linked(*user, attribute) {
                    map.entry(target).or_default().push(*user);
                }
            }
            let map = Rc::new(map);
            self.users.borrow_mut().insert(key, map.clone());
            map
        });
        map.get(&index).cloned().unwrap_or_default()
    }
}
