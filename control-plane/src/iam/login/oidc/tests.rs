//! Documents of keys, as they come.

use super::id_token::read_keys;

#[test]
fn what_is_no_key_is_left_out() {
    let text = br#"{"keys":[
        {"kty":"XX","kid":"a"},
        {"kty":"EC","crv":"P-256","kid":"b","x":"AAAA","y":"AAAA"},
        7]}"#;
    let keys = read_keys(text).unwrap();
    assert_eq!(keys.keys.len(), 2);
    for bad in ["", "{}", "[]", r#"{"keys":{}}"#] {
        assert!(read_keys(bad.as_bytes()).is_none(), "{bad}");
    }
}
