//! The finger on the sandbox's phone, for demos and tests. The client of the service itself is the package
//! `countersign-client`; the program beside this library uses both.

pub mod phone;
