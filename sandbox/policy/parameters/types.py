"""The types that policy parameters have. A value outside them does not load."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Text = Annotated[str, Field(min_length=1)]
Plugin = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,62}$")]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(gt=0)]
Isodate = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
MonthDay = Annotated[str, Field(pattern=r"^\d{2}-\d{2}$")]
Period = Literal["monthly", "quarterly", "half_yearly", "yearly"]
Mode = Literal["overall", "sectoral", "scenario"]
# The authorising body acts as "implementing_body", whatever an instrument calls it (part A, A-02).
Role = Literal["data_authority", "sector_authority", "implementing_body", "provider"]
Applicant = Literal["operator", "developer"]
Recipient = Literal["province", "data_authority", "implementing_body", "none"]
Decision = Literal["decision_ref", "collective_decision"]  # 三重一大 is a collective decision
Point = Literal["26.1", "26.2", "26.3", "26.4", "26.5", "26.6", "26.6-R"]
Format = Literal[
    "csv",
    "parquet",
    "arrow",
    "json",
    "chart",
    "markdown",
    "html",
    "ipynb",
    "xlsx",
    "docx",
    "pdf",
    "png",
    "jpeg",
    "svg",
    "zip",
    "tar",
    "onnx",
    "safetensors",
    "skops",
]
Clause = Literal[
    "scope",
    "term",
    "products_and_review",
    "technical_support",
    "asset_ownership",
    "redevelopment_ban",
    "accounts",
    "security_and_emergency",
    "evaluation_renewal_exit",
    "breach_liability",
    "dispute_resolution",
    "change_and_termination",
    "other_matters",
]
