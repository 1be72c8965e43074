//! Full messages made from the contract itself: each field set, to a value that tells its number.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, MethodDescriptorProto,
};

/// Messages inside messages go no deeper.
const MAX_DEPTH: usize = 6;

fn contract() -> FileDescriptorProto {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
    let mut files = protox::compile(["terrane/runner/v1/runner.proto"], [root]).unwrap();
    files.file.pop().unwrap()
}

pub(crate) fn message_names() -> Vec<String> {
    contract()
        .message_type
        .iter()
        .map(|message| message.name().to_owned())
        .collect()
}

/// `rpc Service.Method` and `Request->Response`, streams marked.
pub(crate) fn methods() -> Vec<(String, String)> {
    let contract = contract();
    let services = contract.service.iter();
    let methods = services.flat_map(|service| service.method.iter().map(move |m| (service, m)));
    methods
        .map(|(service, method)| {
            (
                format!("rpc {}.{}", service.name(), method.name()),
                signature(method),
            )
        })
        .collect()
}

fn signature(method: &MethodDescriptorProto) -> String {
    let part = |streams: bool, name: &str| {
        let name = name.rsplit('.').next().unwrap();
        format!("{}{name}", if streams { "stream:" } else { "" })
    };
    let request = part(method.client_streaming(), method.input_type());
    let response = part(method.server_streaming(), method.output_type());
    format!("{request}->{response}")
}

/// A full message of each type; one per alternative where a type has alternatives.
pub(crate) fn messages() -> Vec<(String, Vec<u8>)> {
    let contract = contract();
    let mut samples = Vec::new();
    for message in &contract.message_type {
        let alternatives = message
            .field
            .iter()
            .filter(|field| field.oneof_index.is_some())
            .count()
            .max(1);
        for choice in 0..alternatives {
            let bytes = encode(&contract, message, choice, 0);
            samples.push((message.name().to_owned(), bytes));
        }
    }
    samples
}

fn encode(
    contract: &FileDescriptorProto,
    message: &DescriptorProto,
    choice: usize,
    depth: usize,
) -> Vec<u8> {
    assert!(
        depth < MAX_DEPTH,
        "{} is too deep or recursive",
        message.name()
    );
    let mut fields: Vec<&FieldDescriptorProto> = message.field.iter().collect();
    fields.sort_by_key(|field| field.number());
    let mut alternative = 0;
    let mut bytes = Vec::new();
    for field in fields {
        if field.oneof_index.is_some() {
            alternative += 1;
            if alternative - 1 != choice {
                continue;
            }
        }
        let nested = message.nested_type.iter().find(|nested| {
            field
                .type_name()
                .ends_with(&format!(".{}.{}", message.name(), nested.name()))
        });
        let times = if field.label() == Label::Repeated && nested.is_none() {
            2
        } else {
            1
        };
        for _ in 0..times {
            encode_field(contract, message, field, nested, depth, &mut bytes);
        }
    }
    bytes
}

fn encode_field(
    contract: &FileDescriptorProto,
    message: &DescriptorProto,
    field: &FieldDescriptorProto,
    nested: Option<&DescriptorProto>,
    depth: usize,
    bytes: &mut Vec<u8>,
) {
    let number = field.number();
    let key = u64::from(number.unsigned_abs()) << 3;
    let text = |name: &str| format!("{name}-{number}").into_bytes();
    let (wire_type, value) = match field.r#type() {
        Type::String => (2, text(field.name())),
        Type::Bytes => (2, vec![0xff, 0, number.unsigned_abs() as u8]),
        Type::Message => {
            let name = field.type_name().rsplit('.').next().unwrap();
            let inner = nested.or_else(|| {
                contract
                    .message_type
                    .iter()
                    .find(|message| message.name() == name)
            });
            (2, encode(contract, inner.unwrap(), 0, depth + 1))
        }
        Type::Bool => (0, vec![1]),
        Type::Uint32 => (0, varint(u64::from(u32::MAX) - key)),
        Type::Uint64 => (0, varint(u64::MAX - key)),
        Type::Int64 => (0, varint(i64::MAX as u64 - key)),
        Type::Enum => (0, varint(last_value(contract, message, field))),
        other @ (Type::Double
        | Type::Float
        | Type::Int32
        | Type::Fixed64
        | Type::Fixed32
        | Type::Group
        | Type::Sfixed32
        | Type::Sfixed64
        | Type::Sint32
        | Type::Sint64) => {
            panic!(
                "{}.{}: teach this test about {other:?}",
                message.name(),
                field.name()
            )
        }
    };
    bytes.extend(varint(key | wire_type));
    if wire_type == 2 {
        bytes.extend(varint(value.len() as u64));
    }
    bytes.extend(value);
}

fn last_value(
    contract: &FileDescriptorProto,
    message: &DescriptorProto,
    field: &FieldDescriptorProto,
) -> u64 {
    let name = field.type_name().rsplit('.').next().unwrap();
    let mut enums = message.enum_type.iter().chain(&contract.enum_type);
    let found = enums.find(|found| found.name() == name).unwrap();
    found
        .value
        .iter()
        .map(|value| u64::from(value.number().unsigned_abs()))
        .max()
        .unwrap()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
