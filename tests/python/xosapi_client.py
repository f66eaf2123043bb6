"""The ORM of xosapi 4.0.4 (Python 2.7) against our server, over TLS: what scripts of XOS do.

    PYTHONPATH=... python2.7 xosapi_client.py localhost:50051 admin@opencord.org PASSWORD_FILE CA_FILE WORK_FOLDER

Needs the models of hello-world to be loaded, as run.py does.
"""

import functools
import os
import sys
import tempfile
import traceback

from xosconfig import Config


def done(text):
    print("ok: " + text)
    sys.stdout.flush()


def use(orm):
    print("models: %d" % len(orm.all_model_names))
    done("GetSchema, protoc, ORM; sites: %s" % [site.name for site in orm.Site.objects.all()])
    service = orm.HelloWorldService.objects.new(name="orm", hello_from="Jon Snow")
    service.save()
    assert service.id, service
    instance = orm.HelloWorldServiceInstance.objects.new(name="greeting", hello_to="Arya", owner=service)
    instance.save()
    done("create: service %d, instance %d" % (service.id, instance.id))
    found = orm.HelloWorldServiceInstance.objects.filter(hello_to="Arya")
    assert [one.id for one in found] == [instance.id], found
    found = orm.HelloWorldServiceInstance.objects.filter(id__gt=instance.id)
    assert not list(found), found
    one = orm.HelloWorldServiceInstance.objects.get(id=instance.id)
    assert one.owner.leaf_model.hello_from == "Jon Snow", one
    assert orm.Service.objects.get(id=service.id).leaf_model.hello_from == "Jon Snow"
    assert [it.id for it in service.service_instances.all()] == [instance.id]
    done("filter, get, owner, leaf_model, the way back")
    one.hello_to = "Sansa"
    one.save(update_fields=["hello_to"])
    one = orm.HelloWorldServiceInstance.objects.get(id=instance.id)
    assert one.hello_to == "Sansa", one
    one.hello_to = "Bran"
    one.save_changed_fields()
    one = orm.HelloWorldServiceInstance.objects.get(id=instance.id)
    assert one.hello_to == "Bran" and one.updated > instance.updated, one
    done("save with update_fields, save_changed_fields")
    try:
        orm.HelloWorldServiceInstance.objects.get(id=99999)
        raise AssertionError("found what is not there")
    except Exception as error:
        assert "NotFound" in type(error).__name__, error
        done("not found: %s" % type(error).__name__)
    if os.environ.get("XOS_KEEP"):
        return
    instance.delete()
    left = [one.id for one in orm.HelloWorldServiceInstance.objects.all()]
    assert instance.id not in left, left
    service.delete()
    done("delete")


def main(endpoint, user, password_file, ca, folder):
    with open(password_file) as file:
        password = file.readline().rstrip("\n")
    config = tempfile.NamedTemporaryFile(suffix=".yaml")
    config.write("name: script\nlogging:\n  version: 1\n  handlers: {console: {class: logging.StreamHandler}}\n"
                 "  loggers: {multistructlog: {handlers: [console], level: ERROR}}\n")
    config.flush()
    Config.init(config.name)
    from twisted.internet import reactor
    from xosapi.xos_grpc_client import SecureClient

    client = SecureClient(endpoint=endpoint, username=user, password=password, cacert=ca, work_dir=folder)
    failed = []

    def connected(client):
        try:
            use(client.xos_orm)
        except Exception:
            traceback.print_exc()
            failed.append(True)
        reactor.stop()

    client.set_reconnect_callback(functools.partial(connected, client))
    client.start()
    reactor.run()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
