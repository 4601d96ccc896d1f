use domain::scans::Severity::Critical;

use crate::secrets::rule::Rule;

/// Clouds and what is run in them.
pub const RULES: &[Rule] = &[
    Rule::new(
        "aws-access-key",
        "AWS access key id",
        &["akia", "asia"],
        r"\b((?:AKIA|ASIA)[A-Z0-9]{16})\b",
    )
    .revoke("in the IAM console of AWS"),
    Rule::new(
        "aws-secret-key",
        "AWS secret access key",
        &["aws"],
        r#"(?i)aws[a-z0-9_. -]{0,20}(?:secret|sk)[a-z0-9_. -]{0,20}["']?\s{0,3}(?::=|=>|=|:)\s{0,3}["']?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)"#,
    )
    .severity(Critical)
    .min_entropy(4.0)
    .revoke("in the IAM console of AWS"),
    Rule::new(
        "aws-marketplace-token",
        "Amazon marketplace token",
        &["amzn.mws."],
        r"\b(amzn\.mws\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b",
    ),
    Rule::new(
        "gcp-service-account",
        "Google Cloud service account key",
        &["private_key"],
        r#""private_key"\s{0,3}:\s{0,3}"-----BEGIN PRIVATE KEY-----(?:\\n)?([A-Za-z0-9+/=\\]{64,})"#,
    )
    .severity(Critical)
    .revoke("with `gcloud iam service-accounts keys delete`"),
    Rule::new(
        "google-api-key",
        "Google API key",
        &["aiza"],
        r"\b(AIza[A-Za-z0-9_-]{35})(?:[^A-Za-z0-9_-]|$)",
    )
    .revoke("in the credentials page of the Google Cloud console"),
    Rule::new(
        "google-oauth-secret",
        "Google OAuth client secret",
        &["gocspx-"],
        r"\b(GOCSPX-[A-Za-z0-9_-]{28})(?:[^A-Za-z0-9_-]|$)",
    )
    .revoke("in the credentials page of the Google Cloud console"),
    Rule::new(
        "azure-storage-key",
        "Azure storage account key",
        &["accountkey="],
        r"(?i)\bAccountKey=([A-Za-z0-9+/]{86}==)",
    )
    .severity(Critical)
    .revoke("by rotating the keys of the storage account"),
    Rule::new(
        "azure-client-secret",
        "Azure application secret",
        &["q~"],
        r"(?:^|[^A-Za-z0-9_~.-])([A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})(?:[^A-Za-z0-9_~.-]|$)",
    )
    .min_entropy(3.5)
    .revoke("in the app registration of Microsoft Entra"),
    Rule::new(
        "digitalocean-token",
        "DigitalOcean token",
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        r"\b(do[opr]_v1_[0-9a-f]{64})\b",
    )
    .severity(Critical)
    .revoke("in the API page of the DigitalOcean control panel"),
    Rule::new(
        "heroku-api-key",
        "Heroku API key",
        &["hrku-"],
        r"\b(HRKU-[A-Za-z0-9_-]{36,80})",
    )
    .revoke("in the account settings of Heroku"),
    Rule::new(
        "heroku-legacy-key",
        "Heroku API key",
        &["heroku"],
        r#"(?i)heroku[a-z0-9_. -]{0,30}["']?\s{0,3}(?:=>|=|:)\s{0,3}["']?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b"#,
    )
    .revoke("in the account settings of Heroku"),
    Rule::new(
        "cloudflare-origin-key",
        "Cloudflare origin CA key",
        &["v1.0-"],
        r"\b(v1\.0-[0-9a-f]{24}-[0-9a-f]{146})\b",
    ),
    Rule::new(
        "vault-token",
        "HashiCorp Vault token",
        &["hvs.", "hvb.", "hvr."],
        r"\b(hv[sbr]\.[A-Za-z0-9_-]{24,200})",
    )
    .severity(Critical)
    .revoke("with `vault token revoke`"),
    Rule::new(
        "terraform-token",
        "Terraform Cloud token",
        &[".atlasv1."],
        r"\b([A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70})",
    ),
    Rule::new(
        "pulumi-token",
        "Pulumi access token",
        &["pul-"],
        r"\b(pul-[0-9a-f]{40})\b",
    ),
    Rule::new(
        "databricks-token",
        "Databricks token",
        &["dapi"],
        r"\b(dapi[0-9a-f]{32}(?:-[0-9])?)\b",
    ),
    Rule::new(
        "alibaba-access-key",
        "Alibaba Cloud access key id",
        &["ltai"],
        r"\b(LTAI[A-Za-z0-9]{17,21})\b",
    ),
];
