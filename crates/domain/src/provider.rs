//! What runs get access to, and how.

use crate::text_enum::text_enum;

text_enum! {
    /// Whose access it is. `custom` is anything that takes environment variables.
    pub enum Provider {
        Aws = "aws",
        Azure = "azurerm",
        Google = "google",
        Kubernetes = "kubernetes",
        Vault = "vault",
        Custom = "custom",
    }
}

text_enum! {
    /// What a provider trusts.
    pub enum AccessMethod {
        /// A stored secret.
        Static = "static",
        /// A stored secret that takes on a role.
        AssumeRole = "assume-role",
        /// The run's own identity: nothing is stored.
        Oidc = "oidc",
    }
}
