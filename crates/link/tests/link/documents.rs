//! The page about the protocol says what the code does.

use link::close::CloseCode;

#[test]
fn every_close_code_is_explained() {
    let page = include_str!("../../../../docs/runner-protocol.md");
    for code in (0..1000).filter_map(CloseCode::from_code) {
        let row = format!("| {} | {} |", code.code(), code.sentence());
        assert!(page.contains(&row), "docs/runner-protocol.md lacks {row:?}");
    }
}
