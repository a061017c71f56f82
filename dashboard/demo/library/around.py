"""What happens around a handler: dependencies, middleware, work after the answer."""

from dashboard.demo.library.telling import OTHERS, story, variant
from dashboard.demo.scenario import seconds

FAMILY = "around the handler"

_MAIL = {"params": (seconds(1),), "others": OTHERS}
_QUEUE = {"params": (seconds(1, maximum=5),), "others": OTHERS}

STORIES = (
    story(
        "background_tasks",
        "The answer is out, the work goes on",
        variant(
            "background_blocking",
            "blocked",
            "async def that blocks",
            "The answer came after {slowest}; then {culprit} held the loop for "
            "{blocked}, and the {others} others waited up to {held}.",
            at="afterwards:background_blocking",
            uses=("afterwards:send_mail_badly", "afterwards:send_mail"),
            **_MAIL,
        ),
        variant(
            "background_sync",
            "thread",
            "def",
            "The answer came after {slowest}; the work went on for {after}, in a "
            "thread. The {others} others waited {held} at most.",
            at="afterwards:background_sync",
            uses=("afterwards:send_mail",),
            **_MAIL,
        ),
        variant(
            "background_async",
            "waiting",
            "async def that awaits",
            "The answer came after {slowest}; the work went on for {after}, on the "
            "loop, waiting. The {others} others waited {held} at most.",
            at="afterwards:background_async",
            uses=("afterwards:send_mail_async",),
            **_MAIL,
        ),
        family=FAMILY,
        question="A background task sends a mail after the answer. "
        "Can it harm anybody?",
        look="the row that goes on when its request is answered",
    ),
    story(
        "task_queue",
        "A task queue takes the work out of the process",
        variant(
            "queue_background",
            "thread",
            "BackgroundTasks",
            "The answer came after {slowest}, and {after} of computing went on in this "
            "process: the others took {others_middle} (in the middle).",
            at="afterwards:queue_background",
            uses=("work:work",),
            **_QUEUE,
        ),
        variant(
            "queue_celery",
            "process",
            "Celery",
            "The answer came after {slowest}, the work goes on in another process. "
            "The others took {others_middle} (in the middle).",
            at="afterwards:queue_celery",
            uses=("task_queue:compute",),
            needs="celery",
            **_QUEUE,
        ),
        family=FAMILY,
        question="A background task computes. What changes when a queue takes it?",
        look="the threads' rows: with the queue there is no work to be seen here",
    ),
    story(
        "dependencies",
        "Sync dependencies travel to a thread and back, unseen",
        variant(
            "depends_sync",
            "thread",
            "def",
            "{threads} trips to a worker thread for each request, though the handler is "
            "`async def`: {middle} each (in the middle).",
            at="hidden:depends_sync",
            uses=("hidden:get_settings", "hidden:get_session"),
            size=20,
        ),
        variant(
            "depends_async",
            "running",
            "async def",
            "{threads} trips: {middle} each (in the middle).",
            at="hidden:depends_async",
            uses=("hidden:get_settings_async", "hidden:get_session_async"),
            size=20,
        ),
        family=FAMILY,
        question="An `async def` handler has two small sync dependencies, one with "
        "`yield`. How often does a request change threads?",
        look="the threads' rows: short visits, three for each request",
    ),
    story(
        "middleware_tax",
        "BaseHTTPMiddleware costs a task in every layer",
        variant(
            "layers_base",
            "running",
            "five BaseHTTPMiddleware",
            "{tasks} tasks more for each request, and {running} of the loop "
            "(in the middle).",
            at="hidden:layers_base",
            uses=("hidden:BaseLayer",),
            size=20,
        ),
        variant(
            "layers_pure",
            "running",
            "five plain ASGI",
            "{tasks} tasks more for each request, and {running} of the loop "
            "(in the middle).",
            at="hidden:layers_pure",
            uses=("hidden:PureLayer",),
            size=20,
        ),
        family=FAMILY,
        question="Five layers of middleware set one header each. Is the style they are "
        "written in of any weight?",
        look="the loop's row: how often it goes back and forth for one request",
    ),
)
