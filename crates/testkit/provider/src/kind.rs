//! Resource types as data: attributes, blocks, and what computed ones come out as.

use rmpv::Value as Wire;
use tf_provider::schema::{
    Attribute as SchemaAttribute, AttributeConstraint, AttributeType, Block, Description,
    NestedBlock, Schema,
};

/// How a computed attribute gets its value.
#[derive(Clone, Copy, PartialEq)]
pub enum Computed {
    /// Something fixed for its type.
    Default,
    /// The prefix with random characters behind it.
    Random(&'static str),
    /// The prefix with the object's id behind it.
    WithId(&'static str),
    /// The prefix with a number from 2 to 251 behind it that follows from the id.
    Address(&'static str),
    /// As many KiB of text as the attribute `pad_kib` says.
    Padding,
    /// What the file named by the attribute `source_file` holds.
    FileContent,
}

#[derive(Clone)]
pub struct Attribute {
    pub name: &'static str,
    pub kind: AttributeType,
    pub constraint: AttributeConstraint,
    /// A change makes a new object.
    pub replaces: bool,
    pub sensitive: bool,
    pub computed: Computed,
}

impl Attribute {
    fn new(name: &'static str, kind: AttributeType, constraint: AttributeConstraint) -> Self {
        let computed = Computed::Default;
        Self {
            name,
            kind,
            constraint,
            replaces: false,
            sensitive: false,
            computed,
        }
    }

    pub fn replaces(mut self) -> Self {
        self.replaces = true;
        self
    }

    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// Terraform may leave it out, and the provider then says what it is.
    pub fn is_computed(&self) -> bool {
        matches!(
            self.constraint,
            AttributeConstraint::Computed | AttributeConstraint::OptionalComputed
        )
    }
}

pub fn required(name: &'static str, kind: AttributeType) -> Attribute {
    Attribute::new(name, kind, AttributeConstraint::Required)
}

pub fn optional(name: &'static str, kind: AttributeType) -> Attribute {
    Attribute::new(name, kind, AttributeConstraint::Optional)
}

pub fn defaulted(name: &'static str, kind: AttributeType) -> Attribute {
    Attribute::new(name, kind, AttributeConstraint::OptionalComputed)
}

pub fn computed(name: &'static str, computed: Computed) -> Attribute {
    let attribute = Attribute::new(name, text(), AttributeConstraint::Computed);
    Attribute {
        computed,
        ..attribute
    }
}

pub fn text() -> AttributeType {
    AttributeType::String
}

pub fn number() -> AttributeType {
    AttributeType::Number
}

pub fn flag() -> AttributeType {
    AttributeType::Bool
}

pub fn texts() -> AttributeType {
    AttributeType::List(Box::new(AttributeType::String))
}

pub fn labels() -> AttributeType {
    AttributeType::Map(Box::new(AttributeType::String))
}

/// One resource type.
#[derive(Clone)]
pub struct Kind {
    /// With the provider's name in front.
    pub type_name: String,
    /// New ids begin with this.
    pub id_prefix: &'static str,
    pub attributes: Vec<Attribute>,
    pub blocks: Vec<(&'static str, Vec<Attribute>)>,
}

impl Kind {
    pub fn new(type_name: &str, id_prefix: &'static str) -> Self {
        let id = computed("id", Computed::WithId(""));
        let type_name = type_name.to_owned();
        Self {
            type_name,
            id_prefix,
            attributes: vec![id],
            blocks: Vec::new(),
        }
    }

    pub fn with(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        self.attributes.extend(attributes);
        self
    }

    pub fn block(mut self, name: &'static str, attributes: Vec<Attribute>) -> Self {
        self.blocks.push((name, attributes));
        self
    }

    pub fn schema(&self) -> Schema {
        let mut block = block(&self.type_name, &self.attributes);
        for (name, attributes) in &self.blocks {
            let nested = NestedBlock::List(self::block(name, attributes));
            block.blocks.insert((*name).to_owned(), nested);
        }
        Schema { version: 0, block }
    }

    /// Every member of an object of this kind.
    pub fn member_names(&self) -> impl Iterator<Item = &'static str> {
        let attributes = self.attributes.iter().map(|attribute| attribute.name);
        attributes.chain(self.blocks.iter().map(|(name, _)| *name))
    }
}

/// A schema block of these attributes.
pub fn block(description: &str, attributes: &[Attribute]) -> Block {
    let attribute = |it: &Attribute| SchemaAttribute {
        attr_type: it.kind.clone(),
        description: Description::plain(it.name),
        constraint: it.constraint.clone(),
        sensitive: it.sensitive,
        deprecated: false,
    };
    Block {
        version: 0,
        description: Description::plain(description.to_owned()),
        deprecated: false,
        attributes: attributes
            .iter()
            .map(|it| (it.name.to_owned(), attribute(it)))
            .collect(),
        blocks: Default::default(),
    }
}

/// What an attribute that nobody set comes out as.
pub fn default_of(kind: &AttributeType, name: &str) -> Wire {
    match kind {
        AttributeType::String => Wire::from(format!("{name}-default")),
        AttributeType::Number => Wire::from(0),
        AttributeType::Bool => Wire::from(false),
        AttributeType::List(_) => Wire::Array(Vec::new()),
        AttributeType::Map(_) => Wire::Map(Vec::new()),
        _ => Wire::Nil,
    }
}
