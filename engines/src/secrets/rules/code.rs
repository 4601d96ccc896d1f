use domain::scans::Severity::Critical;

use crate::secrets::rule::Rule;

/// Code hosts and package registries.
pub const RULES: &[Rule] = &[
    Rule::new(
        "github-token",
        "GitHub personal access token",
        &["ghp_"],
        r"\b(ghp_[A-Za-z0-9]{36})\b",
    )
    .severity(Critical)
    .revoke("in the developer settings of GitHub"),
    Rule::new(
        "github-fine-grained-token",
        "GitHub fine-grained token",
        &["github_pat_"],
        r"\b(github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b",
    )
    .severity(Critical)
    .revoke("in the developer settings of GitHub"),
    Rule::new(
        "github-oauth-token",
        "GitHub OAuth token",
        &["gho_"],
        r"\b(gho_[A-Za-z0-9]{36})\b",
    )
    .severity(Critical)
    .revoke("in the developer settings of GitHub"),
    Rule::new(
        "github-app-token",
        "GitHub app token",
        &["ghu_", "ghs_", "ghr_"],
        r"\b(gh[usr]_[A-Za-z0-9]{36,76})\b",
    )
    .revoke("in the settings of the GitHub app"),
    Rule::new(
        "gitlab-token",
        "GitLab token",
        &["glpat-", "gldt-", "glrt-", "glptt-", "glsoat-", "glft-", "glagent-", "glimt-"],
        r"\b(gl(?:pat|dt|rt|ptt|soat|ft|agent|imt)-[A-Za-z0-9_-]{20,80})",
    )
    .severity(Critical)
    .revoke("in the access tokens page of GitLab"),
    Rule::new(
        "npm-token",
        "npm access token",
        &["npm_"],
        r"\b(npm_[A-Za-z0-9]{36})\b",
    )
    .severity(Critical)
    .revoke("with `npm token revoke`"),
    Rule::new(
        "npmrc-auth",
        "npm registry credential",
        &["_auth"],
        r"(?m):_(?:authToken|auth|password)[ \t]{0,3}=[ \t]{0,3}([A-Za-z0-9+/=_-]{16,200})[ \t\r]*$",
    )
    .revoke("with `npm token revoke`"),
    Rule::new(
        "pypi-token",
        "PyPI token",
        &["pypi-ageichlwas5vcmc", "pypi-agendgvzdc5wexbplm9yzw"],
        r"\b(pypi-(?:AgEIcHlwaS5vcmc|AgENdGVzdC5weXBpLm9yZw)[A-Za-z0-9_-]{50,250})",
    )
    .severity(Critical)
    .revoke("in the account settings of PyPI"),
    Rule::new(
        "crates-io-token",
        "crates.io token",
        &["cio"],
        r"\b(cio[A-Za-z0-9]{32})\b",
    )
    .min_entropy(3.5)
    .revoke("in the account settings of crates.io"),
    Rule::new(
        "rubygems-token",
        "RubyGems token",
        &["rubygems_"],
        r"\b(rubygems_[0-9a-f]{48})\b",
    ),
    Rule::new(
        "nuget-key",
        "NuGet API key",
        &["oy2"],
        r"\b(oy2[a-z0-9]{43})\b",
    )
    .min_entropy(3.5),
    Rule::new(
        "docker-hub-token",
        "Docker Hub token",
        &["dckr_pat_", "dckr_oat_"],
        r"\b(dckr_[po]at_[A-Za-z0-9_-]{27,32})",
    ),
    Rule::new(
        "atlassian-token",
        "Atlassian API token",
        &["atatt3"],
        r"\b(ATATT3[A-Za-z0-9_=-]{100,240})",
    ),
    Rule::new(
        "hugging-face-token",
        "Hugging Face token",
        &["hf_"],
        r"\b(hf_[A-Za-z]{34})\b",
    ),
    Rule::new(
        "postman-key",
        "Postman API key",
        &["pmak-"],
        r"\b(PMAK-[0-9a-f]{24}-[0-9a-f]{34})\b",
    ),
    Rule::new(
        "linear-key",
        "Linear API key",
        &["lin_api_"],
        r"\b(lin_api_[A-Za-z0-9]{40})\b",
    ),
    Rule::new(
        "supabase-token",
        "Supabase access token",
        &["sbp_"],
        r"\b(sbp_[0-9a-f]{40})\b",
    ),
];
