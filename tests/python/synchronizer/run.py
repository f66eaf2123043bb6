"""The tutorial's hello-world synchronizer on the framework of XOS 4.0.4 (Python 2.7).

    PYTHONPATH=... python2.7 run.py WORK_FOLDER localhost:50051 PASSWORD_FILE CA_FILE

It sends its models, waits for them, and then runs its steps until it is killed. What its steps do is appended to
WORK_FOLDER/steps.txt.
"""

import os
import shutil
import sys

from xosconfig import Config

HERE = os.path.dirname(os.path.abspath(__file__))
DOCUMENTS = os.path.join(HERE, "../../../../shared/reference/documents/hello-world")

CONFIG = """name: hello-world
accessor:
  username: admin@opencord.org
  password: "%(password)s"
  endpoint: %(endpoint)s
core_version: ">=4.0.0"
models_dir: "%(folder)s/models"
steps_dir: "%(steps)s"
required_models:
  - HelloWorldService
  - HelloWorldServiceInstance
logging:
  version: 1
  handlers:
    console:
      class: logging.StreamHandler
  loggers:
    'multistructlog':
      handlers:
        - console
      level: DEBUG
"""


def main(folder, endpoint, password_file, ca):
    models = os.path.join(folder, "models")
    if not os.path.isdir(models):
        os.makedirs(models)
    shutil.copy(os.path.join(DOCUMENTS, "hello-world.xproto"), models)
    config = os.path.join(folder, "config.yaml")
    with open(password_file) as file:
        password = file.readline().rstrip("\n")
    handle = os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        steps = os.path.join(HERE, "steps")
        file.write(CONFIG % dict(password=password, endpoint=endpoint, folder=folder, steps=steps))
    os.environ["HELLO_WORLD_STEPS"] = os.path.join(folder, "steps.txt")
    Config.init(config, "synchronizer-config-schema.yaml")
    # The framework trusts one file of the machine; a test has a CA of its own.
    from xosapi import xos_grpc_client

    work = os.path.join(folder, "protos")
    connect = xos_grpc_client.SecureClient.__init__.__func__
    connect.__defaults__ = (None, work, "", None, ca, None, None, None)
    from xossynchronizer import Synchronizer

    Synchronizer().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
