//! hostinfo.conf
