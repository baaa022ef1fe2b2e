use super::*;
use crate::limits::{ATTRIBUTES_MAX, TAG_KEY_MAX};
use crate::xml::reader::parse_tagged;
use crate::{Source, is_value};
use proptest::prelude::*;

fn tags_of(metadata: &str, sought: &TagSources) -> Tags {
    let xml = format!("<domain type='kvm'><metadata>{metadata}</metadata><devices/></domain>");
    parse_tagged(&xml, sought).unwrap().1
}

fn read(metadata: &str) -> Tags {
    tags_of(metadata, &TagSources::default())
}

fn known(tags: &[(&str, Option<&str>)]) -> Tags {
    let tag = |(key, value): &(&str, Option<&str>)| ((*key).into(), value.map(str::to_owned));
    Tags::Known(tags.iter().map(tag).collect())
}

fn own(tags: &str) -> String {
    format!("<h:tags xmlns:h='urn:hostinfo:1'>{tags}</h:tags>")
}

fn nova(instance: &str) -> String {
    let space = "http://openstack.org/xmlns/libvirt/nova/1.1";
    format!("<nova:instance xmlns:nova='{space}'>{instance}</nova:instance>")
}

#[test]
fn own_tags_are_found_by_their_namespace_whatever_its_prefix() {
    let expected = known(&[("role", Some("db 1")), ("empty", Some(""))]);
    assert_eq!(read(&own("<h:tag name='role'> db&#32;1\n</h:tag><h:tag name='empty'/>")), expected);
    let default = "<tags xmlns='urn:hostinfo:1'><tag name='role'><![CDATA[db 1]]></tag>\
                   <!-- x --><tag name='empty'></tag></tags>";
    assert_eq!(read(default), expected);
    let inner = "<h:tags xmlns:h='urn:other' xmlns:x='urn:hostinfo:1'/>\
                 <x:tags xmlns:x='urn:hostinfo:1'><h:tag xmlns:h='urn:hostinfo:1' name='a'>b</h:tag>\
                 <x:tag xmlns:x='urn:other' name='a'>c</x:tag><x:other name='a'>d</x:other></x:tags>";
    assert_eq!(read(inner), known(&[("a", Some("b"))]));
    for foreign in ["<tags><tag name='a'>b</tag></tags>", "<h:tags><h:tag name='a'/></h:tags>"] {
        assert_eq!(read(foreign), known(&[]), "{foreign}");
    }
}

#[test]
fn a_namespace_may_be_declared_further_out() {
    let xml = "<domain type='kvm' xmlns:h='urn:other'><metadata xmlns:h='urn:hostinfo:1'>\
               <h:tags><h:tag name='a'>b</h:tag></h:tags></metadata></domain>";
    assert_eq!(parse_tagged(xml, &TagSources::default()).unwrap().1, known(&[("a", Some("b"))]));
}

#[test]
fn novas_owner_and_flavor_are_tags() {
    let instance = "<nova:package version='1'/><nova:name>web</nova:name>
        <nova:flavor name='m1.small'><nova:memory>512</nova:memory></nova:flavor>
        <nova:owner><nova:user uuid='6c'>alice</nova:user>
        <nova:project uuid='e1'>acme</nova:project></nova:owner>";
    let expected = [
        ("flavor", Some("m1.small")),
        ("project", Some("e1")),
        ("project-name", Some("acme")),
        ("user", Some("6c")),
        ("user-name", Some("alice")),
    ];
    assert_eq!(read(&nova(instance)), known(&expected));
    assert_eq!(read(&nova(instance).replace("1.1", "1.0")), known(&expected));
    assert_eq!(
        read(&nova("<nova:owner><nova:user/></nova:owner>")),
        known(&[("user-name", Some(""))])
    );
}

#[test]
fn a_tag_that_is_there_twice_or_is_malformed_has_no_value() {
    let long = "x".repeat(256);
    for tag in [
        "<h:tag name='a'>1</h:tag><h:tag name='a'>1</h:tag>",
        "<h:tag name='a'>x&#10;y</h:tag>",
        "<h:tag name='a'>x<b/>y</h:tag>",
        &format!("<h:tag name='a'>{long}</h:tag>"),
        &format!("<h:tag name='a'>{}</h:tag>", " x".repeat(1_000_000)),
    ] {
        let tags = own(&format!("{tag}<h:tag name='b'>2</h:tag>"));
        assert_eq!(read(&tags), known(&[("a", None), ("b", Some("2"))]));
    }
    let twice = own("<h:tag name='a'>1</h:tag>");
    assert_eq!(read(&twice.repeat(2)), known(&[("a", None)]), "in two elements");
    let owner = "<nova:owner><nova:user uuid='1'/></nova:owner>";
    let user = [("user", None), ("user-name", None)];
    assert_eq!(read(&nova(&owner.repeat(2))), known(&user));
}

#[test]
fn any_doubt_about_which_tags_there_are_makes_all_of_them_unreadable() {
    let many = |count: usize| -> String {
        own(&(0..count).map(|number| format!("<h:tag name='t{number}'/>")).collect::<String>())
    };
    assert!(matches!(read(&many(TAGS_MAX)), Tags::Known(tags) if tags.len() == TAGS_MAX));
    let attributes: String = (0..ATTRIBUTES_MAX).map(|number| format!(" a{number}=''")).collect();
    for tags in [
        many(TAGS_MAX + 1),
        own("<h:tag>x</h:tag>"),
        own("<h:tag name=''>x</h:tag>"),
        own("<h:tag name='a b'>x</h:tag>"),
        own(&format!("<h:tag name='{}'/>", "x".repeat(TAG_KEY_MAX + 1))),
        own(&format!("<h:tag name='a'{attributes}/>")),
        own(&"<x:tag xmlns:x='y'/>".repeat(TAG_ELEMENTS_MAX)),
    ] {
        assert_eq!(read(&tags), Tags::Unreadable);
        assert_eq!(read(&(own("<h:tag name='z'>1</h:tag>") + &tags)), Tags::Unreadable);
    }
}

#[test]
fn own_tags_cannot_have_keys_that_mean_something_else() {
    let tags = own("<h:tag name='project'>x</h:tag><h:tag name='uuid'>x</h:tag>\
                    <h:tag name='title'>x</h:tag>");
    assert_eq!(read(&tags), known(&[]));
    let owner = nova("<nova:owner><nova:project uuid='1'>a</nova:project></nova:owner>");
    assert_eq!(
        read(&(tags + &owner)),
        known(&[("project", Some("1")), ("project-name", Some("a"))])
    );
}

#[test]
fn the_title_is_a_tag_and_none_where_own_ones_are_off() {
    let title = |titles: &str, sought: &TagSources| {
        let tags = own("<h:tag name='a'>b</h:tag>");
        let xml = format!("<domain type='kvm'>{titles}<metadata>{tags}</metadata></domain>");
        parse_tagged(&xml, sought).unwrap().1
    };
    let (on, a) = (TagSources::default(), ("a", Some("b")));
    assert_eq!(title("<title>Web 1</title>", &on), known(&[a, ("title", Some("Web 1"))]));
    assert_eq!(title("<title>a</title><title>b</title>", &on), known(&[a, ("title", None)]));
    let off = TagSources { own: false, ..TagSources::default() };
    assert_eq!(title("<title>Web 1</title>", &off), known(&[]));
}

#[test]
fn other_programs_tags_are_where_the_settings_say() {
    let source = |key: &str, path: &[&str], attribute: Option<&str>| Source {
        key: key.to_owned(),
        namespace: "urn:x".to_owned(),
        path: path.iter().map(|name| (*name).to_owned()).collect(),
        attribute: attribute.map(str::to_owned),
    };
    let sources = vec![source("tier", &["a"], Some("t")), source("b", &["a", "b", "c"], None)];
    let sought = TagSources { own: true, sources };
    let metadata = "<a xmlns='urn:x' t='gold'><b><c>1</c></b><c>2</c></a>";
    assert_eq!(tags_of(metadata, &sought), known(&[("b", Some("1")), ("tier", Some("gold"))]));
    assert_eq!(tags_of("<a xmlns='urn:y' t='gold'/>", &sought), known(&[]));
}

#[test]
fn metadata_of_any_size_is_read_in_time() {
    let spaces: String = (0..2000).map(|number| format!(" xmlns:x{number}='u'")).collect();
    let heavy = format!("<tags{spaces}>{}</tags>", "<y xmlns:z='z'/>".repeat(15_000));
    let tops = format!("<tags{spaces}/>") + &"<x:tags xmlns:x='y'/>".repeat(150_000);
    let own = own("<h:tag name='a'>b</h:tag>");
    let start = std::time::Instant::now();
    for metadata in [heavy, tops] {
        assert_eq!(read(&(metadata + &own)), known(&[("a", Some("b"))]));
    }
    assert!(start.elapsed() < std::time::Duration::from_secs(60), "{:?}", start.elapsed());
}

proptest! {
    #[test]
    fn any_metadata_has_tags_within_the_limits_or_none(
        metadata in r"(<h:tags xmlns:h='urn:hostinfo:1'>|</h:tags>|<h:tag name='[ab]'/?>|</h:tag>|&(lt|x|#10);|.){0,14}",
    ) {
        let xml = format!("<domain type='kvm'><metadata>{metadata}</metadata></domain>");
        if let Ok((_, Tags::Known(tags))) = parse_tagged(&xml, &TagSources::default()) {
            prop_assert!(tags.len() <= TAGS_MAX);
            prop_assert!(tags.values().flatten().all(|value| is_value(value)));
        }
    }
}
