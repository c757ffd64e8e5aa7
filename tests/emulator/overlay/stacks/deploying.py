"""Carrying a template out: making, changing and deleting a stack's resources, and taking back what failed.

Knows stacks and kinds of resources; nothing of the calls that ask for it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from overlay.stacks.acting import Actor, Failed, Missing, call
from overlay.stacks.functions import Evaluation, text
from overlay.stacks.kinds import kinds
from overlay.stacks.kinds.kind import Kind, Place
from overlay.stacks.parameters import referred
from overlay.stacks.records import GONE, Resource, Stack, stacks_in
from overlay.stacks.refused import Refused, invalid
from overlay.stacks.template import Template
from overlay.world import utc
from overlay.zones import zones_of

#: What stands for a value that is not known before it is carried out.
LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"


@dataclass(frozen=True)
class Change:
    """What would be done to one resource."""

    action: str
    logical: str
    type: str
    physical: str | None = None
    #: `True`, `False` or `Conditional`, for a change in place.
    replacement: str | None = None
    scope: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()


def check_types(template: Template) -> None:
    """Refuses types that the emulator does not carry out."""
    unknown = sorted({str(one["Type"]) for one in template.resources.values()} - set(kinds()))
    if unknown:
        raise invalid(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")


def stored_parameter(account: str, region: str) -> Callable[[str], str]:
    """Reads parameters of Systems Manager."""

    def stored(name: str) -> str:
        try:
            return str(call(account, region, Actor(), "ssm", "get_parameter", Name=name)["Parameter"]["Value"])
        except Failed as error:
            raise invalid(f"Unable to fetch parameters [{name}] from parameter store for this account.") from error

    return stored


class Deployment:
    """A template with its values, for one stack."""

    def __init__(
        self, stack: Stack, template: Template, values: dict[str, str], tags: dict[str, str], dry: bool = False
    ) -> None:
        self.stack = stack
        self.template = template
        self.tags = tags
        #: Nothing is done, and what is not known yet is `LATER`.
        self.dry = dry
        self.resources: dict[str, Resource] = dict(stack.resources)
        #: Resources whose attributes are not known yet.
        self.unknown: set[str] = set()
        stored = stored_parameter(stack.account, stack.region)
        place = Place(stack.account, stack.region, Actor(), stack.name, "")
        pseudo = {
            "AWS::AccountId": stack.account,
            "AWS::NotificationARNs": stack.notifications,
            "AWS::Partition": place.partition,
            "AWS::Region": stack.region,
            "AWS::StackId": stack.id,
            "AWS::StackName": stack.name,
            "AWS::URLSuffix": "amazonaws.com.cn" if stack.region.startswith("cn-") else "amazonaws.com",
        }
        given = {name: referred(one, values[name], stored) for name, one in template.parameters.items()}
        self.evaluation = Evaluation(template, {**pseudo, **given}, self._get, self._imported, zones_of)

    def _imported(self, name: str) -> str:
        for stack in stacks_in(self.stack.account, self.stack.region):
            for output in stack.outputs if stack.status != GONE else ():
                if output.get("ExportName") == name:
                    return output["OutputValue"]
        raise invalid(f"No export named {name} found.")

    def _get(self, name: str, attribute: str | None) -> Any:
        one = self.resources.get(name)
        if one is None or one.physical is None or name in self.unknown:
            if self.dry and (one is not None or name in self.unknown):
                return LATER
            raise Failed(f"Unresolved resource dependencies [{name}] in the Resources block of the template")
        kind = kinds()[one.type]
        place = self.place(name)
        if attribute is None:
            return kind.reference(place, one.physical, one.props)
        told = kind.attributes(place, one.physical, one.props)
        if attribute not in told:
            raise Failed(
                f"Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt"
            )
        return told[attribute]

    def place(self, logical: str) -> Place:
        """Where the calls of a resource are made."""
        stack = self.stack
        return Place(stack.account, stack.region, stack.actor, stack.name, logical)

    def props(self, logical: str, entry: dict[str, Any]) -> dict[str, Any]:
        """A resource's properties with all functions done, and the stack's tags."""
        kind = kinds()[entry["Type"]]
        try:
            found: dict[str, Any] = copy.deepcopy(self.evaluation.value(entry.get("Properties") or {}))
        except Refused as error:
            raise Failed(error.message) from error
        if kind.tags and self.tags:
            own = found.get(kind.tags) or []
            named = {tag["Key"] for tag in own}
            found[kind.tags] = [*own, *({"Key": k, "Value": v} for k, v in self.tags.items() if k not in named)]
        return found

    def outputs(self) -> list[dict[str, str]]:
        """What the template's outputs are."""
        told = []
        for name, one in self.template.section("Outputs").items():
            if "Condition" in one and not self.evaluation.condition(one["Condition"]):
                continue
            output = {"OutputKey": name, "OutputValue": text(self.evaluation.value(one["Value"]))}
            if one.get("Description"):
                output["Description"] = one["Description"]
            if one.get("Export"):
                output["ExportName"] = text(self.evaluation.value(one["Export"]["Name"]))
            told.append(output)
        return told

    # What would be done.

    def changes(self) -> list[Change]:
        """What carrying it out would do, without doing it."""
        found: list[Change] = []
        order = self.evaluation.order()
        for logical in order:
            entry = self.template.resources[logical]
            old = self.stack.resources.get(logical)
            if old is None:
                self.unknown.add(logical)
                found.append(Change("Add", logical, entry["Type"]))
                continue
            if old.type != entry["Type"]:
                raise invalid(f"Update of resource type is not permitted. The new template modifies resource type of "
                              f"the following resources: [{logical}]")
            change = self._change(logical, entry, old)
            if change is not None:
                found.append(change)
                if change.replacement == "True":
                    self.unknown.add(logical)
        for logical, old in self.stack.resources.items():
            if logical not in order:
                found.append(Change("Remove", logical, old.type, old.physical))
        return found

    def _change(self, logical: str, entry: dict[str, Any], old: Resource) -> Change | None:
        new = self.props(logical, entry)
        names = tuple(sorted(name for name in {*new, *old.props} if new.get(name) != old.props.get(name)))
        scope = tuple(
            word
            for word, differ in (
                ("Properties", bool(names)),
                ("Metadata", entry.get("Metadata") != old.entry.get("Metadata")),
            )
            if differ
        )
        if not scope:
            return None
        fixed = kinds()[old.type].fixed & set(names)
        return Change("Modify", logical, old.type, old.physical, "True" if fixed else "False", scope, names)

    # Doing it.

    def create(self) -> None:
        """Makes the stack's resources."""
        stack = self.stack
        try:
            for logical in self.evaluation.order():
                self._make(logical, self.template.resources[logical])
            stack.outputs = self.outputs()
        except (Failed, Refused) as error:
            self._take_back_creation(error)
            return
        stack.enter("CREATE_COMPLETE")

    def _take_back_creation(self, error: Failed | Refused) -> None:
        stack = self.stack
        stack.resources = self.resources
        failed = [one.logical for one in self.resources.values() if one.status == "CREATE_FAILED"]
        why = f"The following resource(s) failed to create: [{', '.join(failed)}]. " if failed else f"{error}. "
        if stack.on_failure == "DO_NOTHING":
            stack.enter("CREATE_FAILED", why.strip())
            return
        if stack.on_failure == "DELETE":
            stack.enter("DELETE_IN_PROGRESS", why + "Delete requested by user.")
            end = ("DELETE_COMPLETE", "DELETE_FAILED")
        else:
            stack.enter("ROLLBACK_IN_PROGRESS", why + "Rollback requested by user.")
            end = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
        left = self._delete_all(list(reversed(self.resources)), during_creation=True)
        stack.enter(end[1], _left(left)) if left else stack.enter(end[0])
        if stack.status == GONE:
            stack.deleted = utc()

    def _make(self, logical: str, entry: dict[str, Any]) -> Resource:
        one = Resource(logical, entry["Type"], entry)
        self.resources[logical] = one
        self.stack.resources[logical] = one
        kind = kinds()[one.type]
        place = self.place(logical)
        place.born = lambda physical: setattr(one, "physical", physical)
        try:
            one.props = self.props(logical, entry)
            self.stack.note(one, "CREATE_IN_PROGRESS")
            kind.check(one.props)
            one.physical = kind.create(place, one.props)
        except KeyError as error:
            reason = f"Properties validation failed for resource {logical}: required key [{error}] not found"
            self.stack.note(one, "CREATE_FAILED", reason)
            raise Failed(reason) from error
        except Failed as error:
            self.stack.note(one, "CREATE_FAILED", error.reason)
            raise
        self.stack.note(one, "CREATE_COMPLETE")
        return one

    def update(self) -> None:
        """Changes the stack's resources to what the template says."""
        stack = self.stack
        before = dict(stack.resources)
        kept_outputs, undo = stack.outputs, _Undo(self)
        try:
            order = self.evaluation.order()
            for logical in order:
                self._bring(logical, self.template.resources[logical], undo)
            removed = [before[logical] for logical in before if logical not in order]
            for one in removed:
                del self.resources[one.logical]
            stack.resources = dict(self.resources)
            stack.outputs = self.outputs()
        except (Failed, Refused) as error:
            failed = [one.logical for one in self.resources.values() if one.status.endswith("_FAILED")]
            why = f"The following resource(s) failed to update: [{', '.join(failed)}]. " if failed else f"{error} "
            stack.enter("UPDATE_ROLLBACK_IN_PROGRESS", why.strip())
            problems = undo.run()
            stack.resources, stack.outputs = {**before}, kept_outputs
            if problems:
                stack.enter("UPDATE_ROLLBACK_FAILED", _left(problems))
                return
            stack.enter("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
            stack.enter("UPDATE_ROLLBACK_COMPLETE")
            return
        stack.enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        for one in [*undo.replaced, *reversed(removed)]:
            policy = "UpdateReplacePolicy" if one in undo.replaced else "DeletionPolicy"
            self._delete(one, policy)
        stack.enter("UPDATE_COMPLETE")

    def _bring(self, logical: str, entry: dict[str, Any], undo: _Undo) -> None:
        old = self.stack.resources.get(logical)
        if old is None:
            undo.made.append(logical)
            self._make(logical, entry)
            return
        change = self._change(logical, entry, old)
        if change is None:
            self.resources[logical].entry = entry
            return
        kind = kinds()[old.type]
        if change.replacement == "True":
            self._replace(logical, entry, old, kind, undo)
            return
        new = Resource(logical, old.type, entry, physical=old.physical)
        self.resources[logical] = new
        try:
            new.props = self.props(logical, entry)
            self.stack.note(new, "UPDATE_IN_PROGRESS")
            kind.check(new.props)
            undo.changed.append((logical, old))
            if change.properties:
                kind.update(self.place(logical), str(old.physical), old.props, new.props)
        except KeyError as error:
            reason = f"Properties validation failed for resource {logical}: required key [{error}] not found"
            self.stack.note(new, "UPDATE_FAILED", reason)
            raise Failed(reason) from error
        except Failed as error:
            self.stack.note(new, "UPDATE_FAILED", error.reason)
            raise
        self.stack.note(new, "UPDATE_COMPLETE")

    def _replace(self, logical: str, entry: dict[str, Any], old: Resource, kind: Kind, undo: _Undo) -> None:
        new = self.props(logical, entry)
        if kind.name and new.get(kind.name) is not None and new.get(kind.name) == old.props.get(kind.name):
            failed = Resource(logical, old.type, entry, new, old.physical)
            self.resources[logical] = failed
            reason = (
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename"
                f" {old.physical} and update the stack again."
            )
            self.stack.note(failed, "UPDATE_FAILED", reason)
            raise Failed(reason)
        self.stack.note(old, "UPDATE_IN_PROGRESS", "Requested update requires the creation of a new physical resource;"
                        " hence creating one.")
        undo.made.append(logical)
        made = self._make(logical, entry)
        undo.replaced.append(old)
        self.stack.note(made, "UPDATE_COMPLETE")

    def delete(self, retained: list[str]) -> None:
        """Deletes the stack's resources."""
        stack = self.stack
        left = self._delete_all(list(reversed(stack.resources)), retained)
        if left:
            stack.enter("DELETE_FAILED", _left(left))
            return
        stack.deleted = utc()
        stack.enter(GONE)

    def _delete_all(
        self, logicals: list[str], retained: list[str] | None = None, during_creation: bool = False
    ) -> list[str]:
        left = []
        for logical in logicals:
            one = self.stack.resources[logical]
            if one.status == "DELETE_COMPLETE":
                continue
            keep = logical in (retained or [])
            if not self._delete(one, "DeletionPolicy", keep, during_creation):
                left.append(logical)
        return left

    def _delete(self, one: Resource, policy: str, keep: bool = False, during_creation: bool = False) -> bool:
        stack = self.stack
        wanted = one.entry.get(policy, "Delete")
        if one.physical is None:
            stack.note(one, "DELETE_COMPLETE")
            return True
        if keep or wanted == "Retain" or (wanted == "RetainExceptOnCreate" and not during_creation):
            stack.note(one, "DELETE_SKIPPED")
            return True
        stack.note(one, "DELETE_IN_PROGRESS")
        try:
            kinds()[one.type].delete(self.place(one.logical), one.physical, one.props)
        except Missing:
            pass  # what is not there is deleted
        except Failed as error:
            stack.note(one, "DELETE_FAILED", error.reason)
            return False
        stack.note(one, "DELETE_COMPLETE")
        return True


class _Undo:
    """What an update did, and how it is taken back."""

    def __init__(self, own: Deployment) -> None:
        self._own = own
        self.made: list[str] = []
        self.changed: list[tuple[str, Resource]] = []
        #: The old ones of what was replaced; they are deleted at the end.
        self.replaced: list[Resource] = []

    def run(self) -> list[str]:
        own, problems = self._own, []
        for logical, old in reversed(self.changed):
            now = own.resources[logical]
            own.stack.note(old, "UPDATE_IN_PROGRESS")
            try:
                kinds()[old.type].update(own.place(logical), str(old.physical), now.props, old.props)
            except (Failed, KeyError) as error:
                own.stack.note(old, "UPDATE_FAILED", str(error))
                problems.append(logical)
                continue
            own.stack.note(old, "UPDATE_COMPLETE")
        for logical in reversed(self.made):
            if logical in own.resources and not own._delete(own.resources[logical], "DeletionPolicy", False, True):
                problems.append(logical)
        return problems


def _left(logicals: list[str]) -> str:
    return f"The following resource(s) failed to delete: [{', '.join(logicals)}]. "


def written(props: Any) -> str | None:
    """Properties as an event tells them."""
    return None if props is None else json.dumps(props, default=str)
