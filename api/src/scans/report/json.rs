use poem_openapi::types::ToJSON;
use projections::scans::{FindingRow, ScanRow};
use serde_json::json;

use super::{Renderer, verdict};
use crate::scans::{finding::FindingView, model::ScanView};

pub(super) struct Json {
    scan: ScanRow,
    first: bool,
}

impl Json {
    pub fn new(scan: ScanRow) -> Self {
        Self { scan, first: true }
    }
}

impl Renderer for Json {
    fn head(&self) -> String {
        let conclusive = verdict::is_conclusive(&self.scan);
        let verdict = json!(verdict::verdict(&self.scan));
        let caveats = json!(verdict::caveats(&self.scan));
        let scan = ScanView::from(self.scan.clone()).to_json_string();
        format!(
            "{{\"conclusive\":{conclusive},\"verdict\":{verdict},\"caveats\":{caveats},\
             \"scan\":{scan},\"findings\":["
        )
    }

    fn finding(&mut self, row: &FindingRow, out: &mut String) {
        out.push_str(if self.first { "\n" } else { ",\n" });
        self.first = false;
        out.push_str(&FindingView::from(row.clone()).to_json_string());
    }

    fn tail(&self) -> &'static str {
        "\n]}\n"
    }
}
