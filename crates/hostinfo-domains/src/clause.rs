//! The XML clause that gives a guest its port, for libvirt and its tools.

use std::path::Path;

use quick_xml::escape::escape;

use crate::limits::{NAME_MAX, SOCKET_PATH_MAX};
use crate::ports::Slot;
use crate::target::Target;

/// A port to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    target: Target,
    path: String,
    slot: Option<Slot>,
}

/// Why a guest cannot have a socket. Only another guest name or another directory helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The name cannot be a file name, or is not one that hostinfod serves.
    #[error(
        "its name cannot be a socket's name, which has at most {NAME_MAX} bytes, no / and no control character: rename it (virsh domrename)"
    )]
    Name,
    /// unix(7): `sun_path`.
    #[error(
        "the path of its socket would have {0} bytes, and a Unix socket's has at most {SOCKET_PATH_MAX}: give it a shorter name (virsh domrename)"
    )]
    TooLong(usize),
    /// The directory's path is not UTF-8 or has a control character, so XML cannot contain it.
    #[error(
        "the path of the socket directory is not UTF-8 or has a control character: choose another"
    )]
    Directory,
}

impl Clause {
    /// The clause for the socket with that name in the directory.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn new(target: Target, directory: &Path, socket: &str) -> Result<Self, Unfit> {
        let is_name = |c: char| c != '/' && !c.is_control();
        if socket.len() > NAME_MAX || !socket.chars().all(is_name) {
            return Err(Unfit::Name);
        }
        let path = directory.join(socket);
        let path = path.to_str().filter(|path| !path.contains(char::is_control));
        let path = path.ok_or(Unfit::Directory)?.to_owned();
        if path.len() > SOCKET_PATH_MAX {
            return Err(Unfit::TooLong(path.len()));
        }
        Ok(Self { target, path, slot: None })
    }

    /// The same for a running domain, plugged in there; `None` where libvirt is to choose. If something else is there
    /// by then, libvirt refuses it before it touches the socket. Where it chooses, it removes the socket of a channel
    /// that another program has plugged in meanwhile, and only then finds out that there is one.
    #[must_use]
    pub fn at(self, slot: Option<Slot>) -> Self {
        Self { slot, ..self }
    }

    /// Where the guest finds the port.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The device for the domain's XML, indented by two blanks per level:
    ///
    /// ```xml
    /// <serial type='unix'>
    ///   <source mode='bind' path='/var/lib/hostinfo/qemu-myguest'/>
    ///   <target port='1'/>
    /// </serial>
    /// ```
    pub fn xml(&self) -> String {
        let (element, target) = match &self.target {
            Target::Serial(number) => ("serial", format!("port='{number}'")),
            Target::Channel(name) => ("channel", format!("type='virtio' name='{}'", escape(name))),
            Target::Other(kind) => ("serial", format!("type='{}'", escape(kind))),
        };
        let path = escape(&self.path);
        let address = self.slot.map(|Slot { controller, port }| {
            format!("  <address type='virtio-serial' controller='{controller}' bus='0' port='{port}'/>\n")
        });
        let address = address.unwrap_or_default();
        format!(
            "<{element} type='unix'>\n  <source mode='bind' path='{path}'/>\n  <target {target}/>\n{address}</{element}>"
        )
    }

    /// The option, with its value, for virt-install, and for virt-xml after `--add-device`.
    pub fn option(&self) -> (&'static str, String) {
        let path = listed(&self.path);
        let (option, target) = match &self.target {
            Target::Serial(number) => ("--serial", format!("target.port={number}")),
            Target::Channel(name) => {
                ("--channel", format!("target.type=virtio,target.name={}", listed(name)))
            }
            Target::Other(kind) => ("--serial", format!("target.type={}", listed(kind))),
        };
        (option, format!("unix,path={path},mode=bind,{target}"))
    }
}

/// Escapes text as a value in a comma-separated list, which virt-install splits like a shell.
fn listed(text: &str) -> String {
    if text.contains([',', '"', '\'', '\\']) {
        format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Directory;
    use crate::ports::Ports;
    use proptest::prelude::*;

    const DIRECTORY: &str = "/var/lib/hostinfo";

    fn serial(name: &str) -> Result<Clause, Unfit> {
        Clause::new(Target::Serial(1), Path::new(DIRECTORY), &format!("qemu-{name}"))
    }

    #[test]
    fn the_clause_is_that_of_the_announcement() {
        let expected = "<serial type='unix'>\n  \
                          <source mode='bind' path='/var/lib/hostinfo/qemu-myguest'/>\n  \
                          <target port='1'/>\n</serial>";
        assert_eq!(serial("myguest").unwrap().xml(), expected);
    }

    #[test]
    fn a_channel_that_is_plugged_in_says_where() {
        let clause = Clause::new(Target::channel(), Path::new(DIRECTORY), "qemu-a").unwrap();
        let xml = clause.at(Some(Slot { controller: 0, port: 3 })).xml();
        let address = "<address type='virtio-serial' controller='0' bus='0' port='3'/>";
        assert!(xml.ends_with(&format!("\n  {address}\n</channel>")), "{xml}");
    }

    #[test]
    fn virt_install_takes_the_same_as_a_list_with_commas() {
        let (option, value) = serial("a b").unwrap().option();
        let expected = "unix,path=/var/lib/hostinfo/qemu-a b,mode=bind,target.port=1";
        assert_eq!((option, &*value), ("--serial", expected));
        let (_, value) = serial(r#"a,"b\"#).unwrap().option();
        assert!(value.contains(r#"path="/var/lib/hostinfo/qemu-a,\"b\\","#), "{value}");
    }

    #[test]
    fn a_name_that_no_socket_can_have_is_refused() {
        assert_eq!(serial("a/b"), Err(Unfit::Name));
        assert_eq!(serial("a\tb"), Err(Unfit::Name));
        assert_eq!(serial(&"x".repeat(300)), Err(Unfit::Name));
        assert_eq!(serial(&"x".repeat(90)), Err(Unfit::TooLong(113)));
        assert!(serial(&"x".repeat(84)).is_ok());
    }

    proptest! {
        #[test]
        fn any_name_comes_out_of_the_xml_as_it_went_in(name in "[^/\\pC]{1,20}", channel: bool) {
            let target = if channel { Target::channel() } else { Target::Serial(2) };
            let socket = format!("qemu-{name}");
            let clause = Clause::new(target.clone(), Path::new(DIRECTORY), &socket).unwrap();
            let xml = format!("<domain type='kvm'><devices>{}</devices></domain>", clause.xml());
            let found = Ports::find(&xml, &Directory::of_text(Path::new(DIRECTORY))).unwrap();
            prop_assert_eq!(found.hostinfo.len(), 1);
            prop_assert_eq!(&found.hostinfo[0].socket, &socket);
            prop_assert_eq!(&found.hostinfo[0].target, &target);
        }
    }
}
