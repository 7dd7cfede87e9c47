use serde_json::{Value, json};

use super::answers;

fn matrix(metric: &Value, values: &Value) -> Value {
    json!({"status": "success", "data": {"resultType": "matrix", "result": [{"metric": metric, "values": values}]}})
}

#[test]
fn what_counts_is_found_and_what_does_not_is_not() {
    let up = json!({"a": "b"});
    let want = matrix(&up, &json!([[1, "1"], [2.5, "NaN"]]));
    assert_eq!(answers("up", false, &want, &matrix(&up, &json!([[1.0, "1.0000000001"], [2.5, "NaN"]]))), None);
    for other in [
        matrix(&up, &json!([[1, "1.00000001"], [2.5, "NaN"]])),
        matrix(&up, &json!([[1, "1"], [2.5, "0"]])),
        matrix(&up, &json!([[1, "1"], [2.6, "NaN"]])),
        matrix(&up, &json!([[1, "1"]])),
        matrix(&json!({"a": "c"}), &json!([[1, "1"], [2.5, "NaN"]])),
        json!({"status": "error", "errorType": "bad_data", "error": "no"}),
        json!({"status": "success", "data": {"resultType": "vector", "result": []}}),
    ] {
        assert!(answers("up", false, &want, &other).is_some(), "{other}");
    }
}
