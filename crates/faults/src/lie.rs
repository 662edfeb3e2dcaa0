//! True answers of a JSON RPC, made false.

use serde_json::{json, Value};

use crate::Lie;

/// Blocks the chain seems ahead where everything has expired.
const FAR_BLOCKS: i64 = 1_000_000;

/// What is answered in place of asking; `None` to ask.
pub(crate) fn instead_of_asking(lie: Lie, request: &Value) -> Option<Value> {
    let result = match (lie, method(request)) {
        (Lie::Swallow, "sendTransaction") => json!(signature_of(request)?),
        _ => return None,
    };
    Some(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }))
}

/// Changes a true answer. An answer without a result stays as it is.
pub(crate) fn change(lie: Lie, request: &Value, answer: &mut Value, blockhash: &str) {
    let Some(result) = answer.get_mut("result") else { return };
    match lie {
        Lie::Heights(by) => raise(method(request), result, by),
        Lie::EverythingExpired => {
            raise(method(request), result, FAR_BLOCKS);
            forget(method(request), result);
        }
        Lie::NothingLanded => forget(method(request), result),
        Lie::EverythingLanded if method(request) == "getSignatureStatuses" => {
            let slot = result["context"]["slot"].clone();
            let landed = json!({
                "slot": slot, "confirmations": null, "err": null, "status": { "Ok": null },
                "confirmationStatus": "finalized",
            });
            if let Some(statuses) = result["value"].as_array_mut() {
                statuses.fill(landed);
            }
        }
        Lie::Blockhash => match method(request) {
            "getLatestBlockhash" => result["value"]["blockhash"] = json!(blockhash),
            "isBlockhashValid" => result["value"] = json!(true),
            _ => {}
        },
        Lie::OmitSignatures if method(request) == "getSignaturesForAddress" => {
            if let Some(listed) = result.as_array_mut() {
                let mut place = 0;
                listed.retain(|_| {
                    place += 1;
                    place % 2 == 0
                });
            }
        }
        Lie::Balances if method(request) == "getMultipleAccounts" => {
            for account in result["value"].as_array_mut().into_iter().flatten().filter(|account| !account.is_null()) {
                let lamports = account["lamports"].as_u64().unwrap_or(0);
                account["lamports"] = json!(lamports.saturating_add(1));
            }
        }
        Lie::Prices(price) if method(request) == "getRecentPrioritizationFees" => {
            *result = json!([{ "slot": 1, "prioritizationFee": price }]);
        }
        _ => {}
    }
}

fn method(request: &Value) -> &str {
    request["method"].as_str().unwrap_or("")
}

/// Adds to whatever is a slot or a height.
fn raise(method: &str, result: &mut Value, by: i64) {
    let add = |number: &mut Value| {
        if let Some(true_number) = number.as_u64() {
            *number = json!(true_number.saturating_add_signed(by));
        }
    };
    match method {
        "getSlot" | "getBlockHeight" => add(result),
        "getLatestBlockhash" => add(&mut result["value"]["lastValidBlockHeight"]),
        _ => {}
    }
    if let Some(slot) = result.get_mut("context").and_then(|context| context.get_mut("slot")) {
        add(slot);
    }
}

/// Takes away what is known of transactions.
fn forget(method: &str, result: &mut Value) {
    match method {
        "getSignatureStatuses" => {
            if let Some(statuses) = result["value"].as_array_mut() {
                statuses.fill(Value::Null);
            }
        }
        "getTransaction" => *result = Value::Null,
        "getSignaturesForAddress" => *result = json!([]),
        _ => {}
    }
}

/// The first signature of a transaction handed in as base64: what the RPC would answer.
fn signature_of(request: &Value) -> Option<String> {
    use base64::Engine;
    let wire = base64::engine::general_purpose::STANDARD.decode(request["params"][0].as_str()?).ok()?;
    // One byte counts the signatures: there are never more than a few.
    Some(bs58::encode(wire.get(1..65)?).into_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(lie: Lie, method: &str, result: Value) -> Value {
        let mut answer = json!({ "id": 1, "result": result });
        change(lie, &json!({ "id": 1, "method": method }), &mut answer, "made up");
        answer["result"].take()
    }

    #[test]
    fn each_lie_changes_what_it_is_about_and_nothing_else() {
        let blockhash =
            json!({ "context": { "slot": 7 }, "value": { "blockhash": "true", "lastValidBlockHeight": 157 } });
        let raised = changed(Lie::Heights(-3), "getLatestBlockhash", blockhash.clone());
        assert_eq!(
            raised,
            json!({ "context": { "slot": 4 }, "value": { "blockhash": "true", "lastValidBlockHeight": 154 } })
        );
        assert_eq!(changed(Lie::Heights(9), "getSlot", json!(1)), 10);
        assert_eq!(changed(Lie::Blockhash, "getLatestBlockhash", blockhash.clone())["value"]["blockhash"], "made up");
        let statuses = json!({ "context": { "slot": 7 }, "value": [{ "slot": 5 }] });
        assert_eq!(changed(Lie::NothingLanded, "getSignatureStatuses", statuses.clone())["value"], json!([null]));
        let landed = changed(
            Lie::EverythingLanded,
            "getSignatureStatuses",
            json!({ "context": { "slot": 7 }, "value": [null] }),
        );
        assert_eq!(landed["value"][0]["confirmationStatus"], "finalized");
        assert_eq!(changed(Lie::EverythingExpired, "getBlockHeight", json!(1)), 1_000_001);
        assert_eq!(changed(Lie::OmitSignatures, "getSignaturesForAddress", json!([1, 2, 3])), json!([2]));
        for lie in [Lie::Swallow, Lie::Balances, Lie::Prices(1), Lie::OmitSignatures] {
            assert_eq!(changed(lie, "getLatestBlockhash", blockhash.clone()), blockhash, "{lie:?}");
        }
        let mut refusal = json!({ "id": 1, "error": { "code": -1 } });
        change(Lie::NothingLanded, &json!({ "method": "getTransaction" }), &mut refusal, "");
        assert_eq!(refusal, json!({ "id": 1, "error": { "code": -1 } }));
    }
}
