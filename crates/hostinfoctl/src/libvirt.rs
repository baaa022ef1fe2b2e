//! libvirt, asked by the helper program, with its errors in words for the administrator.

use std::env::current_exe;
use std::time::Duration;

use hostinfo_domains::limits::TELL_DEADLINE;
use hostinfo_domains::{
    Access, Act, Administrator, Directory, Entry, Form, Unanswered, Uuid, programs,
};

use crate::args::Options;
use crate::exit::Failure;

/// A connection to libvirt.
pub(crate) struct Libvirt {
    administrator: Administrator,
    uri: String,
    /// The socket directory.
    pub(crate) directory: Directory,
}

impl Libvirt {
    /// Connects.
    ///
    /// # Errors
    /// [`Failure::Libvirt`].
    pub(crate) fn connect(options: &Options, access: Access) -> Result<Self, Failure> {
        Self::connect_within(options, access, TELL_DEADLINE)
    }

    /// The same for somebody who does not wait as long for each answer.
    ///
    /// # Errors
    /// [`Failure::Libvirt`].
    pub(crate) fn connect_within(
        options: &Options,
        access: Access,
        deadline: Duration,
    ) -> Result<Self, Failure> {
        let uri = options.connect.clone();
        let own = current_exe().map_err(Unanswered::Broken);
        let administrator = own
            .and_then(|own| Administrator::connect(&programs(&own), &uri, access, deadline))
            .map_err(|why| Failure::Libvirt { uri: uri.clone(), why })?;
        let directory = Directory::of_host(&options.directory);
        Ok(Self { administrator, uri, directory })
    }

    /// The driver of its domains, which begins the URI: `qemu` of `qemu+ssh://HOST/system`.
    pub(crate) fn driver(&self) -> &str {
        self.uri.split([':', '+']).next().unwrap_or_default()
    }

    /// A guest's whole name: `$driver-$name`.
    pub(crate) fn guest(&self, entry: &Entry) -> String {
        format!("{}-{}", self.driver(), entry.name)
    }

    /// Every domain, sorted by name.
    pub(crate) fn list(&mut self) -> Result<Vec<Entry>, Failure> {
        self.administrator.list().map_err(|why| self.failed(why))
    }

    /// A domain's XML.
    pub(crate) fn xml(&mut self, uuid: Uuid, form: Form) -> Result<String, Failure> {
        self.administrator.xml(uuid, form).map_err(|why| self.failed(why))
    }

    /// A domain's XML as libvirt would write it.
    pub(crate) fn rewritten(&mut self, xml: &str) -> Result<String, Failure> {
        self.administrator.rewritten(xml).map_err(|why| self.failed(why))
    }

    /// Attaches a device to a domain, or detaches it.
    pub(crate) fn change(
        &mut self,
        uuid: Uuid,
        form: Form,
        act: Act,
        device: &str,
    ) -> Result<(), Failure> {
        self.administrator.change(uuid, form, act, device).map_err(|why| self.failed(why))
    }

    /// Replaces a domain's own tags.
    pub(crate) fn tag(
        &mut self,
        uuid: Uuid,
        form: Form,
        tags: Option<String>,
    ) -> Result<(), Failure> {
        self.administrator.tag(uuid, form, tags).map_err(|why| self.failed(why))
    }

    fn failed(&self, why: Unanswered) -> Failure {
        Failure::Libvirt { uri: self.uri.clone(), why }
    }
}
