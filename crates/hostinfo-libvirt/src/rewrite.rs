//! What libvirt makes of a domain's XML, without a domain that is defined or changed.
//!
//! libvirt has no dry run: attaching a device and defining a domain change it, a copy that is
//! defined is a domain that others see, and virConnectDomainXMLToNative gives QEMU's command line,
//! which shows no consoles. A private QEMU driver (`qemu:///embed`) would start QEMU to ask what it
//! can do, and makes directories. But all drivers read and write XML by the same code of libvirt's
//! library (`virDomainDefPostParse`), and the test driver keeps what it defines in the memory of
//! this process: <https://libvirt.org/drvtest.html>. There it shows that the first serial port
//! becomes the first console, and which controllers come with a device. Only the addresses of
//! devices are missing, which QEMU's driver chooses.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::fs::{MemfdFlags, memfd_create};
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::Error;
use virt_sys as sys;

/// A test driver's host with no domain; `test:///default` would have one.
const NO_DOMAINS: &[u8] = b"<node/>";

/// The file of such a host, in memory alone.
///
/// # Errors
/// There is no memory or no descriptor left.
pub(crate) fn host() -> io::Result<OwnedFd> {
    let file = memfd_create("hostinfo", MemfdFlags::CLOEXEC)?;
    rustix::io::write(&file, NO_DOMAINS)?;
    Ok(file)
}

/// The XML as libvirt would write it, without what a running domain has in addition.
///
/// # Errors
/// libvirt does not take it.
pub(crate) fn rewritten(xml: &str, host: &OwnedFd) -> Result<String, Error> {
    let connect = Connect::open(Some(&format!("test:///proc/self/fd/{}", host.as_raw_fd())))?;
    Domain::define_xml(&connect, xml)?.get_xml_desc(sys::VIR_DOMAIN_XML_INACTIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(xml: &str) -> Result<String, Error> {
        rewritten(xml, &host().unwrap())
    }

    fn domain(devices: &str) -> String {
        format!(
            "<domain type='kvm'><name>web</name><memory>1024</memory>
             <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
             <devices>{devices}</devices></domain>"
        )
    }

    #[test]
    fn a_serial_port_takes_the_place_of_the_first_console_and_a_channel_brings_its_controller() {
        let console = "<console type='pty'><target type='virtio' port='0'/></console>";
        let serial = "<serial type='unix'><source mode='bind' path='/run/x'/>\
                      <target port='1'/></serial>";
        let xml = written(&domain(&format!("{console}{serial}"))).unwrap();
        let first = xml.split("<console").nth(1).unwrap();
        assert!(first.contains("<target type='serial' port='1'/>"), "{xml}");
        let channel = "<channel type='unix'><target type='virtio' name='x'/></channel>";
        let xml = written(&domain(channel)).unwrap();
        assert!(xml.contains("<controller type='virtio-serial'"), "{xml}");
    }

    #[test]
    fn each_is_written_by_itself_and_what_is_no_domain_is_an_error() {
        for _ in 0..3 {
            assert!(written(&domain("")).unwrap().contains("<name>web</name>"));
            assert!(written("<domain/>").is_err());
        }
    }
}
