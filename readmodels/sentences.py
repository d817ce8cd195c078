"""A readable sentence for every kind of event, in English and Chinese, for timelines and reports.

A template names fields of the event in braces. A part in square brackets is left out when one of its fields is empty;
a personal field whose key was destroyed reads as erased.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

Language = Literal["en", "zh"]

ERASED: Final = {"en": "(erased)", "zh": "（已删除）"}

SENTENCES: Final[Mapping[str, tuple[str, str]]] = {
    "customer.registered": ("Customer registered as {kind}[: {name}][: {person_name}]", "客户已登记（{kind}）[：{name}][：{person_name}]"),
    "customer.renamed": (
        "Customer renamed[ to {name}][ to {person_name}][, was {previous_name}]",
        "客户更名[为 {name}][为 {person_name}][，原名 {previous_name}]",
    ),
    "customer.contact_details_changed": (
        "Contact details changed[, e-mail {email}][, phone {phone}][, website {website}]",
        "联系方式已更改[，邮箱 {email}][，电话 {phone}][，网站 {website}]",
    ),
    "customer.classified": (
        "Classified[ as tier {tier}][, industry {industry}][, size {size}]",
        "客户分类[：等级 {tier}][，行业 {industry}][，规模 {size}]",
    ),
    "customer.lifecycle_changed": (
        "Lifecycle went from {previous_lifecycle} to {lifecycle}[: {reason}]",
        "生命周期由 {previous_lifecycle} 变为 {lifecycle}[：{reason}]",
    ),
    "customer.assigned": (
        "Customer assigned[ to {owner_id}][ ({team})][, was with {previous_owner_id}]",
        "客户分配[给 {owner_id}][（{team}）][，原负责人 {previous_owner_id}]",
    ),
    "customer.parent_set": ("Parent customer set[ to {parent_id}]", "上级客户已设置[为 {parent_id}]"),
    "customer.address_changed": (
        "Address changed[: {street}][, {postal_code}][ {city}][, {region}][, {country}]",
        "地址已更改[：{country}][ {region}][ {city}][ {street}][ {postal_code}]",
    ),
    "customer.preferences_noted": (
        "Preferences noted[, language {language}][, by {channel}][, time zone {time_zone}]",
        "偏好已记录[，语言 {language}][，渠道 {channel}][，时区 {time_zone}]",
    ),
    "customer.custom_field_set": (
        "Custom field {field} set[ to {value}][ to {personal_value}]",
        "自定义字段 {field} 已设置[为 {value}][为 {personal_value}]",
    ),
    "customer.external_id_linked": ("Known to {external_source} as {external_id}", "在 {external_source} 中的编号为 {external_id}"),
    "customer.archived": ("Customer archived[: {reason}]", "客户已归档[：{reason}]"),
    "customer.restored": ("Customer restored[: {reason}]", "客户已恢复[：{reason}]"),
    "customer.erased": ("Customer erased ({legal_basis})[: {reason}]", "客户信息已删除（{legal_basis}）[：{reason}]"),
    "customer.restricted": (
        "Use of the customer's record restricted ({legal_basis})[: {reason}]",
        "客户信息已限制使用（{legal_basis}）[：{reason}]",
    ),
    "customer.restriction_lifted": ("Customer's record may be used again[: {reason}]", "客户信息已解除限制[：{reason}]"),
    "customer.access_exported": (
        "Everything held about the customer handed out ({events} events)",
        "已向客户本人提供所存全部信息（{events} 个事件）",
    ),
    "contact.added": ("Contact {name} added[, {title}][, as {role}]", "已添加联系人 {name}[，{title}][，角色 {role}]"),
    "contact.details_changed": (
        "Details of contact {name} changed[, {title}][, as {role}]",
        "联系人 {name} 资料已更改[，{title}][，角色 {role}]",
    ),
    "contact.moved": ("Contact came over from customer {previous_customer_id}", "联系人由客户 {previous_customer_id} 转来"),
    "contact.made_primary": ("Contact {primary_contact_id} became the primary contact", "{primary_contact_id} 成为主要联系人"),
    "contact.primary_lost": ("Contact {contact_id} is no longer the primary contact", "{contact_id} 不再是主要联系人"),
    "contact.left": ("Contact left[: {reason}]", "联系人已离职[：{reason}]"),
    "contact.restored": ("Contact came back", "联系人已恢复"),
    "contact.erased": ("Contact erased ({legal_basis})[: {reason}]", "联系人信息已删除（{legal_basis}）[：{reason}]"),
    "contact.restricted": (
        "Use of the contact's record restricted ({legal_basis})[: {reason}]",
        "联系人信息已限制使用（{legal_basis}）[：{reason}]",
    ),
    "contact.restriction_lifted": ("Contact's record may be used again[: {reason}]", "联系人信息已解除限制[：{reason}]"),
    "contact.access_exported": (
        "Everything held about the contact handed out ({events} events)",
        "已向联系人本人提供所存全部信息（{events} 个事件）",
    ),
    "interaction.logged": (
        "{direction} {kind} logged[: {subject}][, {duration_seconds} s][, by {owner_id}]",
        "已记录{direction} {kind}[：{subject}][，{duration_seconds} 秒][，{owner_id}]",
    ),
    "interaction.corrected": (
        "{kind} corrected (no. {correction_no})[: {subject}][, because {reason}]",
        "{kind} 已更正（第 {correction_no} 次）[：{subject}][，原因 {reason}]",
    ),
    "interaction.retracted": ("{kind} retracted[: {reason}]", "{kind} 已撤回[：{reason}]"),
    "pipeline.defined": ("Pipeline {name} defined", "已定义销售管道 {name}"),
    "pipeline.renamed": ("Pipeline {previous_name} renamed to {name}", "销售管道 {previous_name} 更名为 {name}"),
    "pipeline.stage_added": ("Stage {stage} added ({status}, {probability} %)", "已添加阶段 {stage}（{status}，{probability}%）"),
    "pipeline.stage_renamed": ("Stage {previous_label} is now called {label}", "阶段 {previous_label} 改称 {label}"),
    "pipeline.stage_moved": (
        "Stage {stage} moved from place {previous_place} to {place}",
        "阶段 {stage} 由第 {previous_place} 位移到第 {place} 位",
    ),
    "pipeline.stage_terms_changed": (
        "Stage {stage} is now {probability} % likely[ and rots after {rotting_days} days]",
        "阶段 {stage} 的概率改为 {probability}%[，{rotting_days} 天后停滞]",
    ),
    "pipeline.stage_retired": (
        "Stage {stage} retired[, its {deals_moved} deals went to {deals_go_to}]",
        "阶段 {stage} 已停用[，其 {deals_moved} 个商机转到 {deals_go_to}]",
    ),
    "opportunity.opened": (
        "Opportunity {name} opened in {stage}, {amount} {currency}[, owner {owner_id}]",
        "商机 {name} 已在 {stage} 阶段创建，{amount} {currency}[，负责人 {owner_id}]",
    ),
    "opportunity.stage_changed": ("Opportunity moved from {from_stage} to {to_stage}", "商机由 {from_stage} 移到 {to_stage}"),
    "opportunity.won": (
        "Opportunity won from {from_stage}, {base_amount} in base currency",
        "商机由 {from_stage} 赢单，本位币 {base_amount}",
    ),
    "opportunity.lost": (
        "Opportunity lost from {from_stage}[: {reason}][, to {competitor}]",
        "商机由 {from_stage} 输单[：{reason}][，输给 {competitor}]",
    ),
    "opportunity.reopened": (
        "Opportunity reopened into {to_stage}, was {previous_status}[: {reason}]",
        "商机重新打开至 {to_stage}，原状态 {previous_status}[：{reason}]",
    ),
    "opportunity.amount_changed": (
        "Amount changed from {previous_amount} {previous_currency} to {amount} {currency}",
        "金额由 {previous_amount} {previous_currency} 改为 {amount} {currency}",
    ),
    "opportunity.close_date_moved": (
        "Expected close {direction} to {expected_close_on}[, was {previous_close_on}]",
        "预计成交日（{direction}）改为 {expected_close_on}[，原为 {previous_close_on}]",
    ),
    "opportunity.line_added": (
        "Product {product} added, {quantity} at {unit_price}",
        "已添加产品 {product}，数量 {quantity}，单价 {unit_price}",
    ),
    "opportunity.line_changed": (
        "Product {product} changed to {quantity} at {unit_price}",
        "产品 {product} 改为数量 {quantity}，单价 {unit_price}",
    ),
    "opportunity.line_removed": ("Product {product} removed", "已移除产品 {product}"),
    "opportunity.forecast_category_set": (
        "Forecast category set to {category}[, was {previous_category}]",
        "预测类别设为 {category}[，原为 {previous_category}]",
    ),
    "opportunity.assigned": (
        "Opportunity assigned to {owner_id}[ ({team})], was with {previous_owner_id}",
        "商机分配给 {owner_id}[（{team}）]，原负责人 {previous_owner_id}",
    ),
    "opportunity.contact_linked": ("Contact {contact_id} plays the role {role}", "联系人 {contact_id} 担任 {role}"),
    "opportunity.competitor_noted": ("Competitor {competitor} noted", "已记录竞争对手 {competitor}"),
    "request.opened": (
        "Service request opened by {channel}[: {subject}][, priority {priority}]",
        "服务请求已通过 {channel} 创建[：{subject}][，优先级 {priority}]",
    ),
    "request.triaged": (
        "Request triaged as {category}, {priority}[, was {previous_priority}]",
        "请求分诊为 {category}、{priority}[，原为 {previous_priority}]",
    ),
    "request.assigned": ("Request assigned[ to {agent}][ ({team})]", "请求已分配[给 {agent}][（{team}）]"),
    "request.taken": ("Request taken by {agent}", "请求由 {agent} 接手"),
    "request.handed_over": (
        "Request handed over[ from {from_agent}][ to {agent}][ ({team})][: {reason}]",
        "请求已转交[，由 {from_agent}][ 到 {agent}][（{team}）][：{reason}]",
    ),
    "request.first_responded": ("First response[ by {by}] after {gross_seconds} s", "首次响应[（{by}）]，用时 {gross_seconds} 秒"),
    "request.replied": ("Reply {direction}[ by {by}]", "回复（{direction}）[，{by}]"),
    "request.waiting": ("Waiting on {waiting_on}[: {reason}]", "等待 {waiting_on}[：{reason}]"),
    "request.resumed": ("Resumed after waiting {waited_seconds} s on {waiting_on}", "已恢复，等待 {waiting_on} {waited_seconds} 秒"),
    "request.escalated": ("Escalated to level {level}[: {reason}]", "已升级到 {level} 级[：{reason}]"),
    "request.target_set": ("Target for {kind} set to {due_at}", "{kind} 的目标时间设为 {due_at}"),
    "request.target_met": ("Target for {kind} met", "已达成 {kind} 目标"),
    "request.target_breached": ("Target for {kind} missed, it was due {due_at}", "未达成 {kind} 目标，应于 {due_at} 前完成"),
    "request.resolved": ("Request resolved[: {result}]", "请求已解决[：{result}]"),
    "request.reopened": ("Request reopened (no. {reopen_no})[: {reason}]", "请求重新打开（第 {reopen_no} 次）[：{reason}]"),
    "request.closed": ("Request closed[: {result}]", "请求已关闭[：{result}]"),
    "request.merged": ("Request merged into {into_request_id}", "请求已并入 {into_request_id}"),
    "request.linked": ("Linked to {linked_kind} {linked_id}[ ({relation})]", "已关联 {linked_kind} {linked_id}[（{relation}）]"),
    "request.activity_noted": ("{activity}", "{activity}"),
    "survey.sent": ("{kind} survey sent about {about}", "已发送 {kind} 调查（关于 {about}）"),
    "survey.reminded": ("Reminder no. {reminder_no} for the {kind} survey", "{kind} 调查第 {reminder_no} 次提醒"),
    "survey.answered": ("{kind} survey answered with {score}[: {comment}]", "{kind} 调查评分 {score}[：{comment}]"),
    "survey.answer_amended": (
        "{kind} answer amended from {previous_score} to {score}[: {comment}]",
        "{kind} 评分由 {previous_score} 改为 {score}[：{comment}]",
    ),
    "survey.expired": ("{kind} survey expired", "{kind} 调查已过期"),
}

_PART = re.compile(r"\[([^\]]*)\]")
_FIELD = re.compile(r"\{(\w+)\}")
_FINE = re.compile(r"^(-?\d+\.\d\d)00$")
"""An amount with nothing finer than cents."""


def fields_of(template: str) -> set[str]:
    """The event fields that a template names."""
    return set(_FIELD.findall(template))


def sentence(event_type: str, data: Mapping[str, Any], language: Language = "en", *, erased: frozenset[str] = frozenset()) -> str:
    """What happened, for a person to read.

    `data` are the event's fields with personal ones decrypted; `erased` names those that cannot be decrypted any more.
    """
    said = {**data, **dict.fromkeys(erased, ERASED[language])}

    def part(match: re.Match[str]) -> str:
        inner = match[1]
        return inner if all(said.get(name) not in (None, "") for name in fields_of(inner)) else ""

    def value(match: re.Match[str]) -> str:
        found = said.get(match[1])
        return "–" if found is None else _FINE.sub(r"\1", str(found))

    return _FIELD.sub(value, _PART.sub(part, SENTENCES[event_type][language == "zh"]))
