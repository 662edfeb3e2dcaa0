//! Where to report a weakness, readable from the deployed program.

use solana_security_txt::security_txt;

security_txt! {
    name: "Millrace",
    project_url: "https://github.com/millrace/millrace",
    contacts: "email:security@millrace.network",
    policy: "https://github.com/millrace/millrace/blob/main/SECURITY.md",
    preferred_languages: "en",
    source_code: "https://github.com/millrace/millrace"
}
