"""P15: sizes of items, and tokens of transactions; and what of conditions the store relies on."""

from __future__ import annotations

from typing import Any

from overlay.selftests.server import Case

NAME = "hub"
OLD = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


class KeyValue(Case):
    """DynamoDB."""

    def table(self) -> Any:
        client = self.client("dynamodb")
        client.create_table(
            TableName=NAME,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("p", "k")],
            KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "k", "KeyType": "RANGE"}],
        )
        return client

    def item(self, key: str = "k", version: int = 1, **more: Any) -> dict[str, Any]:
        return {"p": {"S": "p"}, "k": {"S": key}, "v": {"N": str(version)}, **more}

    def test_p15_an_item_has_400_kib_with_its_names(self) -> None:
        client = self.table()
        beside = len("p" + "p" + "k" + "k" + "v" + "1" + "d")
        largest = {"B": bytes(range(256)) * 1600}
        largest["B"] = largest["B"][: 400 * 1024 - beside]
        client.put_item(TableName=NAME, Item=self.item(d=largest))
        found = client.get_item(TableName=NAME, Key={"p": {"S": "p"}, "k": {"S": "k"}}, ConsistentRead=True)["Item"]
        self.assertEqual(found["d"], largest)
        more = self.item(d={"B": largest["B"] + b"x"})
        self.refused("ValidationException", client.put_item, TableName=NAME, Item=more)
        put = {"Put": {"TableName": NAME, "Item": more}}
        self.refused("ValidationException", client.transact_write_items, TransactItems=[put])

    def test_p15_a_token_takes_effect_once(self) -> None:
        client = self.table()

        def put(key: str) -> dict[str, Any]:
            return {
                "TableName": NAME,
                "Item": self.item(key),
                "ConditionExpression": "attribute_not_exists(v)",
                **OLD,
            }

        items = [{"Put": put("a")}, {"Put": put("b")}]
        client.transact_write_items(TransactItems=items, ClientRequestToken="t")
        client.transact_write_items(TransactItems=items, ClientRequestToken="t")
        answer = self.refused(
            "TransactionCanceledException", client.transact_write_items, TransactItems=items, ClientRequestToken="u"
        )
        reasons = answer["CancellationReasons"]
        self.assertEqual([reason["Code"] for reason in reasons], ["ConditionalCheckFailed"] * 2)
        self.assertEqual([reason["Item"]["k"]["S"] for reason in reasons], ["a", "b"])
        code = "IdempotentParameterMismatchException"
        self.refused(code, client.transact_write_items, TransactItems=items[:1], ClientRequestToken="t")
        # What was refused was not done, so its token may be used again.
        client.transact_write_items(TransactItems=[{"Put": put("c")}], ClientRequestToken="u")

    def test_p15_a_refused_condition_shows_what_is_there(self) -> None:
        client = self.table()
        client.put_item(TableName=NAME, Item=self.item(version=7, d={"B": b""}))
        wrong = {"ConditionExpression": "v = :v", "ExpressionAttributeValues": {":v": {"N": "6"}}, **OLD}
        answer = self.refused(
            "ConditionalCheckFailedException", client.put_item, TableName=NAME, Item=self.item(), **wrong
        )
        self.assertEqual(answer["Item"], self.item(version=7, d={"B": b""}))
        answer = self.refused(
            "ConditionalCheckFailedException", client.put_item, TableName=NAME, Item=self.item("none"), **wrong
        )
        self.assertNotIn("Item", answer)

    def test_p15_a_refused_transaction_leaves_everything_as_it_was(self) -> None:
        client = self.table()
        client.put_item(TableName=NAME, Item=self.item("a", 1))
        place = {"p": {"S": "p"}, "k": {"S": "a"}}
        change = {"UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": {"N": "9"}}}
        first = (
            {"Put": {"TableName": NAME, "Item": self.item("a", 2)}},
            {"Delete": {"TableName": NAME, "Key": place}},
            {"Update": {"TableName": NAME, "Key": place, **change}},
        )
        none = {"ConditionExpression": "attribute_exists(v)"}
        for one in first:
            refused = {"Put": {"TableName": NAME, "Item": self.item("b"), **none}}
            items = [one, {"Put": {"TableName": NAME, "Item": self.item("c")}}, refused]
            self.refused("TransactionCanceledException", client.transact_write_items, TransactItems=items)
            rows = client.query(
                TableName=NAME, KeyConditionExpression="p = :p", ExpressionAttributeValues={":p": {"S": "p"}}
            )["Items"]
            self.assertEqual(rows, [self.item("a", 1)], one)
