//! Where a browser goes on when it has signed in: a path of this host and nothing else.

use url::Url;

/// Where it goes unless told otherwise.
pub(super) const HOME: &str = "/sign-in";
const MAX_LENGTH: usize = 2048;

/// `text` if it is a path of this host as every browser reads it, else [`HOME`].
pub(super) fn checked(text: Option<&str>) -> String {
    text.and_then(local_path).unwrap_or_else(|| HOME.to_owned())
}

fn local_path(text: &str) -> Option<String> {
    // Browsers take `\` for `/` and leave out tabs and line ends: `/\evil.test` leads away.
    let plain = text.len() <= MAX_LENGTH
        && text.starts_with('/')
        && !text.starts_with("//")
        && text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if !plain {
        return None;
    }
    let here = Url::parse("https://here.invalid").ok()?;
    let there = here.join(text).ok()?;
    if there.origin() != here.origin() || there.path().starts_with("//") {
        return None;
    }
    let query = there.query().map(|it| format!("?{it}"));
    Some(format!("{}{}", there.path(), query.unwrap_or_default()))
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_path_of_this_host_is_kept() {
        for good in ["/", "/a/b?c=d%2Fe&f=https://x", "/oauth/authorization?x=1"] {
            assert_eq!(checked(Some(good)), good);
        }
    }

    #[test]
    fn nothing_leads_away_from_this_host() {
        for bad in [
            "",
            "https://evil.test/",
            "//evil.test",
            "///evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "/\t/evil.test",
            "/\n/evil.test",
            " //evil.test",
            "javascript:alert(1)",
            "evil.test",
            "/.//evil.test",
            "/a/..//evil.test",
            "/%0d%0aSet-Cookie:x=y\r\n",
        ] {
            assert_eq!(checked(Some(bad)), HOME, "{bad:?}");
        }
        assert_eq!(checked(Some(&format!("/{}", "a".repeat(3000)))), HOME);
        assert_eq!(checked(None), HOME);
    }
}
