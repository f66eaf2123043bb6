import os

from xossynchronizer.modelaccessor import HelloWorldServiceInstance
from xossynchronizer.steps.syncstep import SyncStep


def note(text):
    with open(os.environ["HELLO_WORLD_STEPS"], "a") as file:
        file.write(text + "\n")


class SyncHelloWorldServiceInstance(SyncStep):
    provides = [HelloWorldServiceInstance]
    observes = HelloWorldServiceInstance
    requested_interval = 0

    def sync_record(self, o):
        note("sync %d: %s is saying hello to %s" % (o.id, o.owner.leaf_model.hello_from, o.hello_to))

    def delete_record(self, o):
        note("delete %d" % o.id)
