# Tells the synchronizer what each task did: one line of JSON for each event, on the file descriptor that
# XOS_SYNC_RESULTS names. What people read is still written by Ansible's own default callback.

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = '''
    name: xos_sync
    type: aggregate
    short_description: results for xos-sync
    description:
        - Writes one line of JSON for each event to an open file descriptor.
    requirements:
        - an environment variable XOS_SYNC_RESULTS with the number of the file descriptor
'''

import json
import os

from ansible.plugins.callback import CallbackBase

# Longer results are left out but for their message: nobody reads a megabyte of facts.
LONGEST = 256 * 1024
LONGEST_MESSAGE = 16 * 1024

ABOUT = ('msg', 'reason', 'module_stderr', 'module_stdout', 'stderr', 'stdout', 'rc', 'censored')


def plain(value):
    """What JSON can hold of a value."""
    if isinstance(value, dict):
        return dict(
            (str(key), plain(item))
            for key, item in value.items()
            if key not in ('invocation', 'exception') and not str(key).startswith('_ansible_')
        )
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'aggregate'
    CALLBACK_NAME = 'xos_sync'
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super(CallbackModule, self).__init__(*args, **kwargs)
        self._results = os.fdopen(int(os.environ['XOS_SYNC_RESULTS']), 'wb', 0)
        self._plays = []

    def _write(self, **event):
        line = json.dumps(event, ensure_ascii=True, default=str).encode('ascii')
        self._results.write(line + b'\n')

    def _result(self, event, result, **more):
        found = result._result
        if found.get('_ansible_no_log'):
            text = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"
            found = {'censored': text, 'changed': bool(found.get('changed'))}
        else:
            diff = found.get('diff')
            found = plain(json.loads(self._dump_results(found)))
            if diff:
                found['diff'] = str(self._get_diff(diff))[:LONGEST_MESSAGE]
        if len(json.dumps(found)) > LONGEST:
            found = dict(
                (key, value[-LONGEST_MESSAGE:] if isinstance(value, str) else value)
                for key, value in found.items()
                if key in ABOUT and not isinstance(value, (dict, list))
            )
            found['truncated'] = True
        self._write(
            event=event,
            host=str(result._host.get_name()),
            task=str(result._task.get_name()),
            action=str(result._task.action),
            changed=bool(result._result.get('changed', False)),
            result=found,
            **more
        )

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._write(event='start', task=str(task.get_name()))

    def v2_playbook_on_handler_task_start(self, task):
        self._write(event='start', task=str(task.get_name()))

    def v2_runner_on_ok(self, result):
        self._result('ok', result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._result('failed', result, ignored=bool(ignore_errors))

    def v2_runner_on_unreachable(self, result):
        self._result('unreachable', result)

    def v2_runner_on_skipped(self, result):
        self._result('skipped', result)

    def v2_playbook_on_play_start(self, play):
        self._plays.append(str(play.get_name()))

    def v2_playbook_on_no_hosts_matched(self):
        self._write(event='no_hosts', play=self._plays[-1] if self._plays else '')

    def v2_playbook_on_stats(self, stats):
        hosts = {}
        for host in stats.processed:
            found = stats.summarize(host)
            hosts[str(host)] = dict((key, int(value)) for key, value in found.items())
        self._write(event='stats', hosts=hosts)
