//! The one implementation of cryptography behind every TLS connection.

use std::sync::Once;

/// Makes *ring* what TLS is built on. Whatever opens a TLS connection calls it before; calling it again does nothing.
pub fn install_crypto() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // An error means that the program chose before: its choice stands.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
