"""The rules of redaction as data: what each covers, and what becomes of it.

A value has its rule by the shape that AWS's own model gives it. Only what one of
the rules ``time``, ``number`` and ``word`` covers, or what is asked for by name,
stays; a shape that no rule names is replaced by ``unknown``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, what it covers and what becomes of that."""

    name: str
    covers: str
    becomes: str
    shapes: tuple[str, ...] = ()  # AWS's shapes of it, in either service
    # Searched for in texts that were asked to stay, too.
    is_identifying: bool = False
    may_stay: bool = False  # `keep` may name it


RULES = (
    Rule(
        "identifier",
        "ids of instances, domains, cases, custom fields, templates, related items, "
        "events, merges, queues and users, wherever they stand",
        "letters in the shape of a UUID; a system field's id stays",
        (
            "AuditEventId",
            "AuditMergeMetadataMergeEventIdString",
            "CaseId",
            "CaseRuleId",
            "ContactFlowId",
            "DirectoryUserId",
            "DomainId",
            "EmailAddressId",
            "FieldId",
            "HierarchyGroupId",
            "HoursOfOperationId",
            "InstanceId",
            "IntegrationAssociationId",
            "LayoutId",
            "PhoneNumberId",
            "QueueId",
            "RelatedItemId",
            "RoutingProfileId",
            "SecurityProfileId",
            "TemplateId",
            "UserId",
        ),
        is_identifying=True,
    ),
    Rule(
        "field_id",
        "the field of a change: a field, or a related item's member such as "
        "`comment.body`",
        "AWS's own names stay, others as `identifier`",
        ("AuditEventFieldId",),
        is_identifying=True,
    ),
    Rule(
        "arn",
        "ARNs of users, queues, roles, customers, contacts, files and all else",
        "service, Region and kinds of resource stay; each other part by its own rule",
        (
            "ARN",
            "Arn",
            "CaseRuleArn",
            "ContactArn",
            "DomainArn",
            "FieldArn",
            "FileArn",
            "IamPrincipalArn",
            "LayoutArn",
            "TemplateArn",
            "UserArn",
        ),
        is_identifying=True,
    ),
    Rule(
        "account",
        "the AWS account in an ARN",
        "twelve digits, the first three zero",
        is_identifying=True,
    ),
    Rule(
        "person",
        "usernames, first and last names",
        "`Agent 481_722_950_361`, one number for one username",
        ("AgentFirstName", "AgentLastName", "AgentUsername"),
        is_identifying=True,
    ),
    Rule(
        "email",
        "e-mail addresses",
        "`481_722_950_361@example.invalid`",
        ("Email",),
        is_identifying=True,
    ),
    Rule(
        "phone",
        "phone numbers",
        "`Phone` and a number",
        ("OutboundCallerIdName", "PhoneNumber", "SensitivePhoneNumber"),
        is_identifying=True,
    ),
    Rule(
        "custom_entity",
        "who acted by an API caller's own word",
        "`Entity` and a number",
        ("CustomEntity",),
        is_identifying=True,
        may_stay=True,
    ),
    Rule(
        "domain_name",
        "names of domains and instances, and their addresses",
        "`Domain` and a number",
        ("DirectoryAlias", "DomainName", "GlobalSignInEndpoint", "URI", "Url"),
        is_identifying=True,
        may_stay=True,
    ),
    Rule(
        "queue_name",
        "names of queues",
        "`Queue` and a number",
        ("QueueName",),
        may_stay=True,
    ),
    Rule(
        "template_name",
        "names of templates",
        "`Template` and a number",
        ("TemplateName",),
        may_stay=True,
    ),
    Rule(
        "field_name",
        "names of fields",
        "`Field` and a number; AWS's own name of a system field stays",
        ("FieldName",),
        may_stay=True,
    ),
    Rule(
        "name",
        "names of SLAs, layouts, groups, rules and other things",
        "`Name` and a number",
        (
            "CaseRuleName",
            "CommonNameLength127",
            "FieldGroupNameString",
            "LayoutName",
            "SlaName",
            "SourceApplicationName",
        ),
        may_stay=True,
    ),
    Rule(
        "option",
        "options of single-select fields, and their names",
        "`Value` and a number, a name `Option`; those of the fields in `keep` stay, as "
        "do `open` and `closed` as a status",
        (
            "FieldOptionName",
            "FieldOptionValue",
            "ParentChildFieldOptionValue",
            "Value",
        ),
    ),
    Rule(
        "value",
        "text of custom fields, which may be an option, a time or free text",
        "`Value` and a number, or as `free_text` says; those of the fields in `keep` "
        "stay",
    ),
    Rule(
        "text",
        "free text: titles, summaries, comments, descriptions, messages",
        "`Title` and a number, or as `free_text` says; of a like length",
        (
            "CaseRuleDescription",
            "CommentBody",
            "FieldDescription",
            "Message",
            "OperandTwoStringValueString",
            "ProblemMessageString",
            "QueueDescription",
            "ReplicationStatusReason",
            "TemplateDescription",
        ),
    ),
    Rule(
        "search_term",
        "the words of a search, which a notebook may hold as they are",
        "`Search` and a number",
        ("SearchCasesRequestSearchTermString",),
        may_stay=True,
    ),
    Rule(
        "file_name",
        "names of files",
        "`File` and a number, with its ending",
        is_identifying=True,
    ),
    Rule(
        "tag",
        "keys and values of tags",
        "`Tag` and a number",
        ("MutableTagKey", "SearchTagKey", "TagKey", "TagValue", "TagValueString"),
        may_stay=True,
    ),
    Rule(
        "token",
        "page tokens",
        "letters, the same in the answer and in the request that follows",
        ("NextToken", "NextToken2500"),
        is_identifying=True,
    ),
    Rule(
        "time",
        "times of events, items and AWS's own fields, the `Date` header",
        "stays, or goes back by a secret number of whole weeks (`times`)",
    ),
    Rule("number", "numbers and booleans", "stays"),
    Rule(
        "word",
        "words of AWS's own model: members, types, statuses of SLAs, Regions",
        "stays if the model has it",
        ("AwsRegion", "Channel", "RegionName"),
    ),
    Rule(
        "unknown",
        "what none of these covers: new members, odd types, bodies that are not JSON, "
        "headers",
        "letters, 0 or false; a body or a header goes",
        is_identifying=True,
    ),
)
"""Every rule, in the order of the README."""

BY_NAME = {rule.name: rule for rule in RULES}
BY_SHAPE = {shape: rule.name for rule in RULES for shape in rule.shapes}

# AWS calls too many things String: these by their member.
BY_MEMBER = {
    "tags": "tag",
    "Tags": "tag",
    "userArnValue": "arn",
    "resourceId": "identifier",
    "message": "text",
    "Message": "text",
    "errorCode": "word",
    "resourceType": "word",
    "FieldName": "word",
    "TagKey": "tag",
    "TagValue": "tag",
    "Value": "person",
}

VALUE_SHAPES = frozenset(
    {
        "AuditEventFieldValueUnionStringValueString",
        "FieldValueUnionStringValueString",
    }
)
"""The text of a field's value, whose rule is its field's."""

FIELDS = {
    "assigned_queue": "arn",
    "assigned_user": "arn",
    "case_id": "identifier",
    "case_reason": "option",
    "created_by": "arn",
    "created_datetime": "time",
    "customer_id": "arn",
    "last_closed_datetime": "time",
    "last_reopened_datetime": "time",
    "last_updated_datetime": "time",
    "last_updated_user": "arn",
    "next_sla_breach_datetime": "time",
    "reference_id": "text",
    "reference_number": "text",
    "status": "option",
    "summary": "text",
    "title": "text",
}
"""The rule of each system field's values; any other field's is ``value``."""

ITEM_MEMBERS = {
    "comment.body": "text",
    "comment.commentText": "text",
    "comment.contentType": "word",
    "connectCase.caseId": "identifier",
    "contact.channel": "word",
    "contact.connectedToSystemTime": "time",
    "contact.contactArn": "arn",
    "file.fileArn": "arn",
    "file.fileName": "file_name",
    "sla.completionTime": "time",
    "sla.fieldId": "field_id",
    "sla.name": "name",
    "sla.status": "word",
    "sla.targetFieldValues": "option",
    "sla.targetTime": "time",
    "sla.type": "word",
}
"""The rule of a related item's member in the history; any other's is ``text``."""

LABELS = {
    "custom_entity": "Entity",
    "domain_name": "Domain",
    "field_name": "Field",
    "file_name": "File",
    "phone": "Phone",
    "queue_name": "Queue",
    "search_term": "Search",
    "template_name": "Template",
    "text": "Text",
    # An option's value in a history looks as any custom field's text does.
    "option": "Value",
    "title": "Title",
    "summary": "Summary",
    "comment.body": "Comment",
    "comment.commentText": "Comment",
    "reference_number": "Reference",
    "CommentBody": "Comment",
}
"""What a pseudonym is called, by its rule, field or shape; by the rule's name otherwise."""

BUILT_IN_STATUSES = frozenset({"open", "closed"})

WORDS = frozenset(
    {
        # kinds of resource in an ARN
        *("agent", "agent-group", "association", "assumed-role", "aws-service-role"),
        *("case", "case-rule", "cases", "connect", "connect.amazonaws.com", "contact"),
        *("contact-flow", "domain", "domains", "field", "file", "group", "iam"),
        *("instance", "integration-association", "layout", "operating-hours"),
        *("phone-number", "profile", "profiles", "queue", "related-item", "role"),
        *("root", "routing-profile", "security-profile", "sts", "template", "user"),
        *("arn", "aws", "aws-cn", "aws-us-gov", "wisdom", "*"),
        # what an audit event or an item may hold without being in the model
        *("VOICE", "CHAT", "TASK", "EMAIL", "SMS", "Text/Plain", "Text/Markdown"),
        *("Case", "Domain", "Field", "Instance", "Layout", "Queue", "RelatedItem"),
        *("Template", "User", "CaseRule", "Username", "FirstName", "LastName"),
        # errors of any AWS service
        *("AccessDenied", "AccessDeniedException", "ExpiredToken"),
        *("ExpiredTokenException", "IncompleteSignature", "InternalFailure"),
        *(
            "InternalServerException",
            "InvalidClientTokenId",
            "InvalidParameterException",
        ),
        *("InvalidRequestException", "InvalidSignatureException", "MissingAction"),
        *("MissingAuthenticationToken", "NotAuthorized", "OptInRequired"),
        *("RequestExpired", "ResourceNotFoundException", "ServiceUnavailable"),
        *("ThrottlingException", "TooManyRequestsException", "UnauthorizedException"),
        *("UnrecognizedClientException", "ValidationError", "ValidationException"),
        *("__type", "code", "Code", "message", "Message"),
        # what a recording itself says
        *("application/json", "application/x-amz-json-1.1", "content-type", "date"),
        *("x-amzn-errortype", "retry-after", "request", "response", "service"),
        *("operation", "method", "path", "query", "json", "text", "base64", "status"),
        *("headers", "connectcases", "GET", "POST", "PUT", "DELETE", "live", "sandbox"),
        *(
            "format",
            "recorded_from",
            "source",
            "redacted",
            "keep",
            "free_text",
            "times",
        ),
        *("key", "drop", "words", "shift", "allow", "own", "manifest.json", ""),
        *BUILT_IN_STATUSES,
        *FIELDS,
        *ITEM_MEMBERS,
        *("comment", "connectCase", "custom", "sla"),
    }
)
"""Words that say nothing of a customer, beside those of AWS's model."""
