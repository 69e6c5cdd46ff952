"""Who acts: a natural person's account, in the name of one organisation, in one role."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """The roles of requirements part A. An account may hold several and acts in one at a time."""

    DATA_AUTHORITY = "data_authority"  # 数据主管部门
    IMPLEMENTING_BODY = "implementing_body"  # 实施机构
    REVIEWER = "reviewer"  # 安全审核员：实施机构的人员
    SECTOR_AUTHORITY = "sector_authority"  # 行业主管部门
    PROVIDER = "provider"  # 数据提供单位
    CONNECTOR = "connector"  # 数据提供单位的平台连接器（机器账户）
    OPERATOR = "operator"  # 运营机构
    DEVELOPER = "developer"  # 开发利用机构
    EXPERT = "expert"  # 专家
    AUDITOR = "auditor"  # 审计
    SPACE_ADMIN = "space_admin"  # 运行管理员：开户、补丁、备份，无任何数据权
    SYSTEM = "system"  # 本系统


# what a role is called, in every page and document
ROLES: dict[Role, str] = {
    Role.DATA_AUTHORITY: "数据主管部门",
    Role.IMPLEMENTING_BODY: "实施机构",
    Role.REVIEWER: "安全审核员",
    Role.SECTOR_AUTHORITY: "行业主管部门",
    Role.PROVIDER: "数据提供单位",
    Role.CONNECTOR: "平台连接器",
    Role.OPERATOR: "运营机构",
    Role.DEVELOPER: "开发利用机构",
    Role.EXPERT: "专家",
    Role.AUDITOR: "审计",
    Role.SPACE_ADMIN: "运行管理员",
    Role.SYSTEM: "系统",
}

# who may do what, as the lifecycle tables say it
BODY = frozenset({Role.IMPLEMENTING_BODY, Role.DATA_AUTHORITY, Role.SECTOR_AUTHORITY})  # may authorise
OPERATOR = frozenset({Role.OPERATOR})
MACHINE = frozenset({Role.SYSTEM})
MANAGING = frozenset({Role.DATA_AUTHORITY, Role.IMPLEMENTING_BODY, Role.REVIEWER, Role.SECTOR_AUTHORITY})
OPERATING = frozenset({Role.OPERATOR, Role.DEVELOPER})  # process data, apply, submit
READS_ALL = MANAGING | {Role.AUDITOR}


@dataclass(frozen=True)
class Actor:
    """``account`` and ``person`` (the natural person behind it), acting for ``organisation`` as ``role``."""

    account: str
    person: str
    organisation: str
    role: Role


SYSTEM = Actor("system", "", "", Role.SYSTEM)
