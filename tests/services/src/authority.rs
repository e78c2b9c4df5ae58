//! Certificates for tests, made by the openssl program.

use std::path::Path;
use std::process::Command;

use crate::Place;

/// A certificate authority.
pub struct Authority(Place);

impl Authority {
    /// One of its own, with a key of its own.
    pub fn new() -> Self {
        let folder = Place::new("authority");
        openssl(
            folder.path(),
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt",
        );
        Self(folder)
    }

    /// Its own certificate in PEM.
    pub fn certificate(&self) -> String {
        std::fs::read_to_string(self.0.join("ca.crt")).unwrap()
    }

    /// Puts its certificate into `folder` as ca.crt.
    pub fn write(&self, folder: &Path) {
        std::fs::write(folder.join("ca.crt"), self.certificate()).unwrap();
    }

    /// Puts NAME.crt and NAME.key into `folder`: for `localhost`, and for a client.
    pub fn sign(&self, name: &str, folder: &Path) {
        let own = self.0.path();
        let extensions = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n";
        std::fs::write(own.join("extensions"), extensions).unwrap();
        openssl(
            own,
            &format!(
                "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} -keyout leaf.key -out leaf.csr"
            ),
        );
        openssl(
            own,
            "x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out leaf.crt",
        );
        for ending in ["crt", "key"] {
            std::fs::copy(own.join(format!("leaf.{ending}")), folder.join(format!("{name}.{ending}")))
                .unwrap();
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
