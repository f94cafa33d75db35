"""Incidents as the series of metrics that show them, and the alerts that must fire.

Samples are 15 s apart, as deploy/prometheus/prometheus.yml scrapes; the incident begins at four minutes.
"""

from dataclasses import dataclass, field

BEGINS_S, ENDS_S, LAST_S = 240, 840, 1800
WITHIN_A_MINUTE_S = 30
"""An alert that fires so soon fires within a minute of any such incident.

The first bad sample is the one at 255 s. In life it comes up to 28 s after the incident: a scrape every 15 s, and 13 s
until the watch has seen it or 10 s until the scrape has failed. The rules are evaluated up to 15 s later.
"""
DOWN_WITHIN_S = 45
"""A process that is down is reported a scrape later, so that a planned restart is not."""
FAILING_STEPS = 'temporal_activity_execution_failed_total{activity_type="prepare"}'
UP = {
    "socialsyncer_posts_late": 0,
    "socialsyncer_state_age_seconds": 5,
    "socialsyncer_posts_undelivered": 0,
    'up{job="socialsyncer",instance="worker"}': 1,
    'socialsyncer_media_disk_bytes{instance="worker"}': 2**34,
    'socialsyncer_uploads_disk_bytes{instance="worker"}': 2**34,
    'socialsyncer_part_up{part="database"}': 1,
    'socialsyncer_part_up{part="temporal"}': 1,
    'socialsyncer_part_up{part="worker"}': 1,
    'socialsyncer_part_up{part="sweep"}': 1,
    'socialsyncer_part_up{part="storage"}': 1,
}


@dataclass(frozen=True)
class Incident:
    """An incident: what the metrics show from its beginning to its end, and the alerts that must fire in between."""

    shows: dict[str, float]
    fires: list[str]
    within_s: int = 60
    calm_at_s: int = LAST_S
    """The time from which no alert must fire any more."""
    grows: dict[str, float] = field(default_factory=dict)
    """The growth of counters and ages with each sample."""
    late: int = 0
    """How many posts are late from 75 s after its beginning on: a post is late after a minute."""


def waiting(platform: str, what: str, count: int) -> dict[str, float]:
    return {f'socialsyncer_targets_waiting{{platform="{platform}",for="{what}"}}': count}


def oldest(platform: str, what: str) -> str:
    return f'socialsyncer_targets_waiting_oldest_seconds{{platform="{platform}",for="{what}"}}'


def settled(platform: str, status: str) -> str:
    return f'socialsyncer_targets_settled_total{{platform="{platform}",status="{status}"}}'


def unconfirmed(platform: str) -> str:
    return f'socialsyncer_sends_unconfirmed_total{{platform="{platform}"}}'


def renewals(platform: str, outcome: str) -> str:
    return f'socialsyncer_renewals_total{{platform="{platform}",outcome="{outcome}"}}'


def part(name: str) -> dict[str, float]:
    return {f'socialsyncer_part_up{{part="{name}"}}': 0}


INCIDENTS = {
    "nothing measures the state": Incident({"socialsyncer_state_age_seconds": 60}, ["StateIsOld"]),
    "a session stays in a transaction": Incident(
        {"socialsyncer_oldest_transaction_seconds": 400}, ["TransactionStaysOpen"]
    ),
    "a platform refuses everybody": Incident(
        waiting("discord", "platform", 25), ["PlatformRefuses"], within_s=300, grows={oldest("discord", "platform"): 15}
    ),
    "a platform refuses some accounts": Incident(
        waiting("discord", "platform", 25),
        [],
        grows={oldest("discord", "platform"): 15, settled("discord", "published"): 3},
    ),
    "a platform takes posts and does not answer": Incident(waiting("mastodon", "answer", 20), ["AnswersLost"]),
    "an account's token has expired": Incident(waiting("instagram", "account", 50), ["AccountsNeedReconnecting"]),
    "a pause is forgotten": Incident(
        {'socialsyncer_pause_with_missed_posts_seconds{scope="campaign"}': 700_000}, ["PauseForgotten"]
    ),
    "connections end soon": Incident({'socialsyncer_accounts_expiring{platform="linkedin"}': 2}, ["AccountsExpire"]),
    "a token endpoint is down": Incident(
        {}, ["RenewalsFail"], within_s=120, grows={renewals("tiktok", "failed"): 3}, calm_at_s=4800
    ),
    "renewals succeed, and some accounts are refused": Incident(
        {}, [], grows={renewals("twitter", "renewed"): 5, renewals("twitter", "refused"): 3}
    ),
    "no worker renews": Incident({"socialsyncer_renewals_overdue_seconds": 9000}, ["RenewalsOverdue"]),
    "a platform refuses the app": Incident(
        {**waiting("twitter", "operator", 3), 'socialsyncer_app_refused{platform="twitter",app="1",code="402"}': 1},
        ["AppRefused"],
    ),
    "workers run and take no work": Incident(
        {**part("worker"), **part("sweep")}, ["PartDown"], within_s=WITHIN_A_MINUTE_S, late=38
    ),
    "a worker is dead": Incident(
        {'up{job="socialsyncer",instance="worker"}': 0, **part("worker")},
        ["MetricsDown"],
        within_s=DOWN_WITHIN_S,
        late=38,
    ),
    "posts are late although every part is up": Incident({"socialsyncer_posts_late": 3}, ["PostsAreLate"], within_s=45),
    "a worker ends again and again": Incident(
        {}, ["ProcessRestarts"], grows={'socialsyncer_start_time_seconds{instance="worker"}': 15}, late=3
    ),
    "the database is away": Incident(
        {**part("database"), **part("sweep"), **part("worker")},
        ["PartDown"],
        within_s=WITHIN_A_MINUTE_S,
        grows={FAILING_STEPS: 3},
    ),
    "a worker does not see the uploads": Incident(part("storage"), ["PartDown"], within_s=WITHIN_A_MINUTE_S),
    "Temporal is away": Incident(
        {**part("temporal"), **part("worker"), **part("sweep")},
        ["PartDown"],
        within_s=WITHIN_A_MINUTE_S,
        grows={FAILING_STEPS: 3},
    ),
    "a process is gone": Incident(
        {'up{job="socialsyncer",instance="worker"}': 0}, ["MetricsDown"], within_s=DOWN_WITHIN_S
    ),
    "answers are lost at a platform that cannot be read": Incident(
        waiting("telegram", "person", 30), ["APersonMustDecide"]
    ),
    "the disk is full": Incident(
        {
            'socialsyncer_media_disk_bytes{instance="worker"}': 48 * 1024,
            **waiting("twitter", "operator", 2),
            **waiting("discord", "operator", 3),
        },
        ["MediaDiskFull"],
        within_s=WITHIN_A_MINUTE_S,
        grows={FAILING_STEPS: 3},
    ),
    "the store of uploads is full": Incident(
        {'socialsyncer_uploads_disk_bytes{instance="worker"}': 0}, ["UploadsFull"], within_s=WITHIN_A_MINUTE_S
    ),
    "files are too large for the disk that workers may use": Incident(
        {**waiting("twitter", "operator", 2), **waiting("discord", "operator", 3)},
        ["OperatorMustAct"],
        within_s=WITHIN_A_MINUTE_S,
        grows={FAILING_STEPS: 3},
    ),
    "a worker was started with another encryption key": Incident(
        {'socialsyncer_accounts_unreadable{instance="worker"}': 14, **waiting("twitter", "operator", 2)},
        ["AccountsUnreadable"],
        within_s=WITHIN_A_MINUTE_S,
        grows={FAILING_STEPS: 3},
        late=2,
    ),
    "steps fail": Incident({}, ["StepsFail"], grows={FAILING_STEPS: 3}),
    "a platform hangs": Incident(
        waiting("mastodon", "answer", 20),
        ["AnswersLost", "PlatformSilent"],
        within_s=300,
        grows={
            oldest("mastodon", "answer"): 15,
            unconfirmed("mastodon"): 2,
            settled("mastodon", "published"): 0,
        },
    ),
    "a platform loses some answers": Incident(
        waiting("mastodon", "answer", 20),
        ["AnswersLost"],
        grows={
            oldest("mastodon", "answer"): 15,
            unconfirmed("mastodon"): 2,
            settled("mastodon", "published"): 1,
        },
    ),
    "new code does not fit sleeping posts": Incident(
        {}, ["WorkflowTasksFail"], within_s=90, grows={"temporal_workflow_task_execution_failed_total": 1}
    ),
    "an operator cancels many posts": Incident({}, []),
    "a platform is slow for a minute": Incident({}, [], grows={settled("x", "published"): 5}),
    "steps of several kinds fail": Incident(
        {}, ["StepsFail"], grows={FAILING_STEPS: 3, FAILING_STEPS.replace("prepare", "confirm"): 3}
    ),
    "most posts to a platform fail": Incident(
        {}, ["PublicationsFail"], within_s=120, grows={settled("facebook", "failed"): 10}
    ),
}


def incident_series(incident: Incident) -> list[dict[str, str]]:
    """Return the input of promtool: a calm period, the incident, and a calm period."""
    names = [*UP, *(name for name in incident.shows if name not in UP), *incident.grows]
    calm, trouble, after = BEGINS_S // 15, (ENDS_S - BEGINS_S) // 15, (incident.calm_at_s - ENDS_S) // 15
    series = []
    for name in names:
        usual, value = UP.get(name, 0), incident.shows.get(name, UP.get(name, 0))
        if grows := incident.grows.get(name):
            peak = grows * trouble
            end = 0 if "oldest" in name else peak
            values = f"0x{calm} {grows}+{grows}x{trouble - 1} {end}x{after}"
        else:
            values = f"{usual}x{calm} {value}x{trouble - 1} {usual}x{after}"
            if name == "socialsyncer_posts_late" and incident.late:
                values = f"0x{calm + 5} {incident.late}x{trouble - 6} 0x{after}"
        series.append({"series": name, "values": values})
    return series


SEQUENCES = {
    "a platform that has answered again is paused": (
        {
            'socialsyncer_targets_waiting{platform="mastodon",for="answer"}': "0x16 3x12 0x72",
            oldest("mastodon", "answer"): "0x16 200+15x12 0x72",
            unconfirmed("mastodon"): "0x6 2+2x5 12x90",
            settled("mastodon", "published"): "0x10 1+1x3 4x90",
        },
        [],
    ),
    "all of it is off for 80 s, and catches up": (
        {
            "socialsyncer_posts_late": "0x16 _x5 40 12 0x80",
            'up{job="socialsyncer",instance="worker"}': "1x16 0x4 1x82",
            'up{job="socialsyncer",instance="api"}': "1x16 0x4 1x82",
            'socialsyncer_part_up{part="worker"}': "1x16 _x5 0 1x81",
        },
        ["MetricsDown"],
    ),
    "a worker is killed, started again, and catches up": (
        {
            "socialsyncer_posts_late": "0x19 10x9 4x4 0x80",
            'up{job="socialsyncer",instance="worker"}': "1x16 0x9 1x82",
            'socialsyncer_part_up{part="worker"}': "1x20 0x6 1x80",
        },
        ["MetricsDown"],
    ),
    "a worker starts and ends so fast that it is rarely seen": (
        {
            "socialsyncer_posts_late": "0x22 5x14 0x80",
            'up{job="socialsyncer",instance="worker"}': "1x16 0 1 0 0 1 0 1 0 0 1 0 1 0 0 1 0 1x80",
        },
        ["MetricsDown"],
    ),
    "a process is replaced by a new release": (
        {
            'up{job="socialsyncer",instance="worker"}': "1x16 0 1x82",
            'socialsyncer_start_time_seconds{instance="worker"}': "1000x16 _ 1270x82",
        },
        [],
    ),
    "a worker's clock is wrong": (
        {
            'socialsyncer_clock_skew_seconds{instance="worker"}': "0x16 600x84",
        },
        ["ClockSkew"],
    ),
    "a worker's clock is wrong, and no worker serves a queue": (
        {
            'socialsyncer_clock_skew_seconds{instance="worker"}': "0x16 600x84",
            'socialsyncer_part_up{part="worker",instance="worker"}': "1x16 0x84",
        },
        ["ClockSkew", "PartDown"],
    ),
    "a lasting lack of metrics hides late posts for ten minutes": (
        {
            "socialsyncer_posts_late": "0x30 7x120",
            'up{job="socialsyncer",instance="worker"}': "1x16 0x140",
            'socialsyncer_part_up{part="worker"}': "1x16 0x140",
        },
        ["MetricsDown", "PartDown", "PostsAreLate"],
    ),
    "a missing key is added, and posts are tried again minutes later": (
        {
            'socialsyncer_accounts_unreadable{instance="worker"}': "0x16 14x8 0x80",
            'socialsyncer_targets_waiting{platform="x",for="operator"}': "0x20 60x36 0x80",
        },
        ["AccountsUnreadable"],
    ),
    "a worker is restarted within 29 s": (
        {
            'up{job="socialsyncer",instance="worker"}': "1x16 0 0 1x82",
            'socialsyncer_start_time_seconds{instance="worker"}': "1000x16 _ _ 1270x82",
            'socialsyncer_part_up{part="worker"}': "1x17 0 0 0 1x80",
            "socialsyncer_posts_late": "0x100",
        },
        [],
    ),
    "Temporal was away, and its posts are caught up": (
        {
            'socialsyncer_part_up{part="temporal"}': "1x16 0x8 1x80",
            'socialsyncer_part_up{part="sweep"}': "1x18 0x16 1x80",
            "socialsyncer_posts_undelivered": "0x18 50 100 150 200 250 300 300 270 240 210 180 150 120 90 60 30 0x80",
        },
        ["PartDown"],
    ),
    "Temporal is full, and takes no changes of posts": (
        {
            'socialsyncer_part_up{part="sweep"}': "1x22 0x80",
            "socialsyncer_posts_undelivered": "0x18 5 9 14x80",
        },
        ["PostsUndelivered"],
    ),
    "the sweep stops": (
        {
            'socialsyncer_part_up{part="sweep"}': "1x18 0x80",
            "socialsyncer_posts_undelivered": "0x18 5 9 14x80",
        },
        ["PartDown"],
    ),
    "no worker delivers the posts of bulk operations": (
        {"socialsyncer_bulk_turn_age_seconds": "0x16 0+15x20 0x80"},
        ["BulkDeliveryStands"],
    ),
    "posts of bulk operations wait for workers that are down": (
        {
            'socialsyncer_part_up{part="worker"}': "1x18 0x16 1x80",
            "socialsyncer_bulk_turn_age_seconds": "0x16 0+15x18 0x80",
        },
        ["PartDown"],
    ),
    "an app is refused for accounts with and without its id": (
        {
            'socialsyncer_app_refused{platform="x",app="",code="app_secret"}': "0x16 1x20 0x80",
            'socialsyncer_app_refused{platform="x",app="1",code="app_secret"}': "0x18 1x18 0x80",
        },
        ["AppRefused"],
    ),
    "a platform accepts posts again, and the oldest wait a little longer": (
        {
            'socialsyncer_targets_waiting{platform="x",for="platform"}': "0x16 9x60",
            'socialsyncer_targets_waiting_oldest_seconds{platform="x",for="platform"}': "0x16 0+15x60",
            'socialsyncer_targets_settled_total{platform="x",status="published"}': "0x32 0+3x60",
        },
        [],
    ),
    "an app is corrected, and its posts are released in the following minutes": (
        {
            'socialsyncer_app_refused{platform="x",app="1",code="app_secret"}': "0x16 1x20 0x80",
            'socialsyncer_targets_waiting{platform="x",for="operator"}': "0x16 280x20 249x10 60x10 0x80",
        },
        ["AppRefused"],
    ),
    "nothing is scraped": ({name: f"{value}x16 _x100" for name, value in UP.items()}, ["MetricsMissing"]),
}
