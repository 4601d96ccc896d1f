use domain::scans::Severity::{Critical, Medium};

use crate::secrets::rule::Rule;

/// Payment, messaging, monitoring and model services.
pub const RULES: &[Rule] = &[
    Rule::new(
        "millrace-api-key",
        "Millrace API key",
        &["mr_"],
        r"\b(mr_[A-Za-z0-9_-]{43})(?:[^A-Za-z0-9_-]|$)",
    )
    .severity(Critical)
    .revoke("by `POST /v1/keys/leaked` with the key itself, or by `DELETE /v1/keys/{id}`"),
    Rule::new(
        "slack-token",
        "Slack token",
        &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxo-", "xapp-"],
        r"\b(xox[abposre]-[A-Za-z0-9-]{20,250}|xapp-[0-9]-[A-Za-z0-9-]{20,250})",
    )
    .revoke("with Slack's `auth.revoke`"),
    Rule::new(
        "slack-webhook",
        "Slack webhook address",
        &["hooks.slack.com"],
        r"(https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{36,90})",
    )
    .severity(Medium)
    .revoke("in the settings of the Slack app"),
    Rule::new(
        "stripe-live-key",
        "Stripe live key",
        &["sk_live_", "rk_live_"],
        r"\b([sr]k_live_[A-Za-z0-9]{16,120})\b",
    )
    .severity(Critical)
    .revoke("in the Stripe dashboard"),
    Rule::new(
        "stripe-webhook-secret",
        "Stripe webhook secret",
        &["whsec_"],
        r"\b(whsec_[A-Za-z0-9+/=]{32,64})",
    )
    .revoke("in the Stripe dashboard"),
    Rule::new(
        "square-token",
        "Square token",
        &["sq0atp-", "sq0csp-"],
        r"\b(sq0(?:atp|csp)-[A-Za-z0-9_-]{22,43})",
    ),
    Rule::new(
        "shopify-token",
        "Shopify token",
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        r"\b(shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32})\b",
    )
    .revoke("in the Shopify admin"),
    Rule::new(
        "sendgrid-key",
        "SendGrid API key",
        &["sg."],
        r"\b(SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})(?:[^A-Za-z0-9_-]|$)",
    )
    .revoke("in the API keys page of SendGrid"),
    Rule::new(
        "mailgun-key",
        "Mailgun key",
        &["mailgun"],
        r"(?i)mailgun(?-i)[^\r\n]{0,60}?\b(key-[0-9a-f]{32}|[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8})\b",
    ),
    Rule::new(
        "mailchimp-key",
        "Mailchimp key",
        &["-us"],
        r"\b([0-9a-f]{32}-us[0-9]{1,2})\b",
    ),
    Rule::new(
        "twilio-key",
        "Twilio API key",
        &["twilio"],
        r"\b(SK[0-9a-f]{32})\b",
    )
    .revoke("in the Twilio console"),
    Rule::new(
        "twilio-auth-token",
        "Twilio auth token",
        &["twilio"],
        r#"(?i)twilio[a-z_. -]{0,10}(?:auth)?[a-z_. -]{0,3}token["']?\s{0,3}(?:=>|=|:)\s{0,3}["']?(?-i)([0-9a-f]{32})\b"#,
    )
    .revoke("in the Twilio console"),
    Rule::new(
        "telegram-bot-token",
        "Telegram bot token",
        &[":aa"],
        r"\b([0-9]{8,10}:AA[A-Za-z0-9_-]{33})(?:[^A-Za-z0-9_-]|$)",
    )
    .revoke("with Telegram's @BotFather"),
    Rule::new(
        "discord-webhook",
        "Discord webhook address",
        &["/api/webhooks/"],
        r"(https://(?:canary\.|ptb\.)?discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,90})",
    )
    .severity(Medium)
    .revoke("in the integrations page of the Discord channel"),
    Rule::new(
        "discord-bot-token",
        "Discord bot token",
        &["discord"],
        r"\b([MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38})(?:[^A-Za-z0-9_-]|$)",
    )
    .min_entropy(4.0)
    .revoke("in the Discord developer portal"),
    Rule::new(
        "openai-key",
        "OpenAI API key",
        &["t3blbkfj"],
        r"\b(sk-[A-Za-z0-9_-]{20,120}T3BlbkFJ[A-Za-z0-9_-]{20,120})",
    )
    .revoke("in the API keys page of OpenAI"),
    Rule::new(
        "anthropic-key",
        "Anthropic API key",
        &["sk-ant-"],
        r"\b(sk-ant-[a-z]{3,8}[0-9]{2}-[A-Za-z0-9_-]{80,120})",
    )
    .revoke("in the Anthropic console"),
    Rule::new(
        "grafana-token",
        "Grafana service account token",
        &["glsa_"],
        r"\b(glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8})\b",
    ),
    Rule::new(
        "new-relic-key",
        "New Relic user key",
        &["nrak-"],
        r"\b(NRAK-[A-Z0-9]{27})\b",
    ),
    Rule::new(
        "sentry-token",
        "Sentry token",
        &["sntrys_", "sntryu_"],
        r"\b(sntryu_[0-9a-f]{64}|sntrys_[A-Za-z0-9+/=_]{60,300})",
    ),
    Rule::new(
        "figma-token",
        "Figma token",
        &["figd_"],
        r"\b(figd_[A-Za-z0-9_-]{38,60})",
    ),
];
