"""A client that shares no code with the server: grpcio and protobuf, and nothing of XOS.

It learns the messages from the server (GetSchema), as xosapi does, and then does what clients of XOS do. Each line it
prints is something that worked; the first thing that does not ends it with a traceback.

    python client.py 127.0.0.1:50055 admin@opencord.org PASSWORD_FILE
"""

import base64
import json
import socket
import sys
import threading
import time
import zlib

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

HELLO = """option name = "hello-world";
option app_label = "hello-world";

message HelloWorldService (Service){
    required string hello_from = 1 [help_text = "The name of who is saying hello", null = False, db_index = False, blank = False];
}

message HelloWorldServiceInstance (ServiceInstance){
    option owner_class_name="HelloWorldService";
    required string hello_to = 1 [help_text = "The name of who is being greeted", null = False, db_index = False, blank = False];
}
"""

EQUAL, GREATER, LESS, GREATER_EQUAL, LESS_EQUAL, IEXACT, CONTAINS, ICONTAINS, REGEX, IREGEX = range(10)
ALL, DIRTY = 1, 2


def message_class(pool, name):
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def schema_classes():
    """The messages of GetSchema, which are not in what it answers."""
    file = descriptor_pb2.FileDescriptorProto(name="schema.proto", package="schema", syntax="proto3")
    one = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
    many = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    text, raw, message = 9, 12, 11
    proto = file.message_type.add(name="ProtoFile")
    proto.field.add(name="file_name", number=1, type=text, label=one)
    proto.field.add(name="proto", number=2, type=text, label=one)
    proto.field.add(name="descriptor", number=3, type=raw, label=one)
    schemas = file.message_type.add(name="Schemas")
    schemas.field.add(name="protos", number=1, type=message, label=many, type_name=".schema.ProtoFile")
    schemas.field.add(name="swagger_from", number=2, type=text, label=one)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_class(pool, "schema.Schemas")


class Client:
    def __init__(self, address, metadata=()):
        self.address = address
        self.channel = grpc.insecure_channel(address)
        self.metadata = tuple(metadata)
        self.pool = None
        self.learn()

    def learn(self):
        """Takes the messages that the server has now."""
        schemas = self.raw("/schema.SchemaService/GetSchema", empty_pb2.Empty(), schema_classes())
        self.files = sorted(proto.file_name for proto in schemas.protos)
        self.texts = {proto.file_name: proto.proto for proto in schemas.protos}
        self.pool = descriptor_pool.DescriptorPool()
        added = set()
        for proto in schemas.protos:
            found = descriptor_pb2.FileDescriptorSet.FromString(zlib.decompress(proto.descriptor))
            for file in found.file:
                if file.name not in added:
                    added.add(file.name)
                    self.pool.Add(file)

    def raw(self, path, request, answer, metadata=None):
        call = self.channel.unary_unary(
            path, request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString
        )
        return call(request, timeout=60, metadata=self.metadata if metadata is None else metadata)

    def message(self, name, **fields):
        return message_class(self.pool, "xos." + name)(**fields)

    def call(self, method, request=None, more=(), metadata=None):
        """Calls `service/Method`, whose messages the schema tells."""
        service, name = method.split("/")
        described = self.pool.FindServiceByName("xos." + service).FindMethodByName(name)
        answer = message_factory.GetMessageClass(described.output_type)
        if request is None:
            request = message_factory.GetMessageClass(described.input_type)()
        elif isinstance(request, dict):
            request = message_factory.GetMessageClass(described.input_type)(**request)
        metadata = tuple(self.metadata if metadata is None else metadata) + tuple(more)
        return self.raw("/xos.%s" % method, request, answer, metadata)

    def filter(self, model, elements, kind=0):
        query = self.message("Query", kind=kind)
        for element in elements:
            query.elements.add(**element)
        return sorted(item.name for item in self.call("xos/Filter" + model, query).items)


def refused(code, what, *args, **keywords):
    """What the server says when it refuses a call with this code."""
    try:
        answer = what(*args, **keywords)
    except grpc.RpcError as error:
        assert error.code() == code, (error.code(), error.details())
        return error.details()
    raise AssertionError("expected %s, got %r" % (code, answer))


def done(text):
    print("ok: " + text, flush=True)


def log_in(address, user, password):
    stranger = Client(address)
    expected = ["common.proto", "dynamicload.proto", "filetransfer.proto", "modeldefs.proto", "utility.proto"]
    assert stranger.files == expected + ["xos.proto", "xosoptions.proto"], stranger.files
    done("GetSchema: %d files, %d bytes of xos.proto" % (len(stranger.files), len(stranger.texts["xos.proto"])))
    assert stranger.call("utility/GetVersion").version == "4.0.4"
    stranger.call("utility/NoOp")
    details = refused(grpc.StatusCode.UNAUTHENTICATED, stranger.call, "xos/ListSite")
    assert json.loads(details)["error"] == "XOSNotAuthenticated", details
    done("without credentials: " + details)
    login = {"username": user, "password": password}
    refused(grpc.StatusCode.UNAUTHENTICATED, stranger.call, "utility/Login", dict(login, password="wrong"))
    details = refused(grpc.StatusCode.UNAUTHENTICATED, stranger.call, "utility/Login", {})
    assert json.loads(details)["specific_error"] == "No username", details
    session = (("x-xossession", stranger.call("utility/Login", login).sessionid),)
    stranger.call("utility/AuthenticatedNoOp", metadata=session)
    assert [site.name for site in stranger.call("xos/ListSite", metadata=session).items]
    stranger.call("utility/Logout", metadata=session)
    refused(grpc.StatusCode.PERMISSION_DENIED, stranger.call, "xos/ListSite", metadata=session)
    done("Login, a call with its session, Logout")
    basic = base64.b64encode(("%s:%s" % (user, password)).encode()).decode()
    client = Client(address, [("authorization", "Basic " + basic)])
    client.call("utility/AuthenticatedNoOp")
    assert user in [person.email for person in client.call("xos/ListUser").items]
    done("Basic credentials")
    return client


def load(client):
    file = {"filename": "hello-world.xproto", "contents": HELLO}
    request = {"name": "hello-world", "version": "1.0.0", "xprotos": [file], "core_version": ">=4.0.0"}
    wrong = dict(request, name="bad", xprotos=[{"filename": "bad.xproto", "contents": "message A (XOSBase) {\n no }"}])
    details = refused(grpc.StatusCode.INVALID_ARGUMENT, client.call, "dynamicload/LoadModels", wrong)
    assert details.startswith("bad.xproto:2:"), details
    done("LoadModels with a mistake: " + details.splitlines()[0])
    before = Client(client.address, client.metadata)
    assert client.call("dynamicload/LoadModels", request).status == 0
    assert client.call("dynamicload/LoadModels", request).status == 1
    client.learn()
    client.message("HelloWorldService")
    before.call("xos/ListService")
    told = client.call("dynamicload/GetLoadStatus")
    states = [(service.name, service.version, service.state) for service in told.services]
    assert states == [("hello-world", "1.0.0", "present"), ("core", "4.0.4", "present")], states
    assert HELLO in client.call("utility/GetXproto").xproto
    names = [item.name for item in client.call("modeldefs/ListModelDefs").items]
    assert "HelloWorldServiceInstance" in names and len(names) == 36, names
    done("LoadModels, served at once, also to who knows the old schema; %d models" % len(names))


def objects(client):
    service = client.call("xos/CreateHelloWorldService", {"name": "hello", "hello_from": "Jon Snow"})
    assert service.id and service.leaf_model_name == "HelloWorldService", service
    details = refused(grpc.StatusCode.UNKNOWN, client.call, "xos/CreateHelloWorldService", {"name": "no one"})
    assert "hello_from" in details and "blank" in details, details
    made = []
    for name, to in (("one", "Arya"), ("two", "arya"), ("three", "Daenerys Targaryen")):
        made.append(client.call("xos/CreateHelloWorldServiceInstance", {"name": name, "hello_to": to}))
        assert made[-1].owner_id == service.id, made[-1]
    assert made[0].backend_status == "Provisioning in progress" and not made[0].HasField("enacted"), made[0]
    done("Create, with the default owner and the core's defaults")
    one = client.call("xos/GetHelloWorldServiceInstance", {"id": made[0].id})
    assert (one.name, one.hello_to) == ("one", "Arya"), one
    assert len(client.call("xos/ListHelloWorldServiceInstance").items) == 3
    details = refused(grpc.StatusCode.NOT_FOUND, client.call, "xos/GetHelloWorldServiceInstance", {"id": 9999})
    assert json.loads(details)["error"] == "XOSNotFound", details
    done("List, Get, and one that is not there")
    change = {"id": one.id, "hello_to": "Sansa", "name": "not this"}
    client.call("xos/UpdateHelloWorldServiceInstance", change, more=[("update_fields", "hello_to,updated")])
    after = client.call("xos/GetHelloWorldServiceInstance", {"id": one.id})
    assert (after.name, after.hello_to) == ("one", "Sansa") and after.updated > one.updated, after
    change = {"id": one.id, "backend_code": 1, "backend_status": "OK", "enacted": after.updated}
    details = refused(grpc.StatusCode.PERMISSION_DENIED, client.call, "xos/UpdateHelloWorldServiceInstance", change)
    assert "feedback_state" in details, details
    fields = [("update_fields", "backend_code,backend_status,enacted"), ("caller_kind", "synchronizer")]
    client.call("xos/UpdateHelloWorldServiceInstance", change, more=fields)
    synced = client.call("xos/GetHelloWorldServiceInstance", {"id": one.id})
    assert (synced.backend_code, synced.enacted, synced.updated) == (1, after.updated, after.updated), synced
    done("Update with update_fields, as a client and as a synchronizer")
    return made


def filters(client, made):
    model = "HelloWorldServiceInstance"
    ids = [instance.id for instance in made]
    for element, expected in (
        (dict(operator=EQUAL, name="hello_to", sValue="arya"), ["two"]),
        (dict(operator=EQUAL, name="hello_to", sValue="arya", invert=True), ["one", "three"]),
        (dict(operator=EQUAL, name="id", iValue=ids[2]), ["three"]),
        (dict(operator=GREATER, name="id", iValue=ids[0]), ["three", "two"]),
        (dict(operator=LESS, name="id", iValue=ids[1]), ["one"]),
        (dict(operator=GREATER_EQUAL, name="id", iValue=ids[1]), ["three", "two"]),
        (dict(operator=LESS_EQUAL, name="id", iValue=ids[1]), ["one", "two"]),
        (dict(operator=IEXACT, name="hello_to", sValue="ARYA"), ["two"]),
        (dict(operator=CONTAINS, name="hello_to", sValue="Targ"), ["three"]),
        (dict(operator=CONTAINS, name="hello_to", sValue="targ"), []),
        (dict(operator=ICONTAINS, name="hello_to", sValue="targ"), ["three"]),
        (dict(operator=REGEX, name="hello_to", sValue="^[a-z]+$"), ["two"]),
        (dict(operator=IREGEX, name="hello_to", sValue="^s.*A$"), ["one"]),
        (dict(operator=EQUAL, name="owner__name", sValue="hello"), ["one", "three", "two"]),
    ):
        found = client.filter(model, [element])
        assert found == expected, (element, found)
    assert client.filter(model, [], ALL) == ["one", "three", "two"]
    assert client.filter(model, [], DIRTY) == ["three", "two"]
    dirty = client.call("utility/ListDirtyModels", {"class_name": model})
    assert sorted(item.id for item in dirty.items) == ids[1:], dirty
    done("Filter with each operator, inverted, over a link, and by kind")


def reflection(client):
    database = ProtoReflectionDescriptorDatabase(client.channel)
    services = database.get_services()
    for name in ("xos.xos", "xos.utility", "xos.dynamicload", "xos.modeldefs", "schema.SchemaService"):
        assert name in services, services
    pool = descriptor_pool.DescriptorPool(database)
    told = pool.FindMessageTypeByName("xos.HelloWorldServiceInstance").fields_by_name
    known = client.pool.FindMessageTypeByName("xos.HelloWorldServiceInstance").fields_by_name
    assert {name: it.number for name, it in told.items()} == {name: it.number for name, it in known.items()}
    assert pool.FindServiceByName("xos.xos").FindMethodByName("FilterHelloWorldService")
    done("reflection: %d services, the loaded models among them" % len(services))


def delete(client, made):
    client.call("xos/DeleteHelloWorldServiceInstance", {"id": made[1].id})
    assert client.filter("HelloWorldServiceInstance", [], ALL) == ["one", "three"]
    unload = {"name": "hello-world", "version": "1.0.0"}
    details = refused(grpc.StatusCode.ALREADY_EXISTS, client.call, "dynamicload/UnloadModels", unload)
    assert details == "ERROR_LIVE_MODELS", details
    assert client.call("dynamicload/UnloadModels", dict(unload, cleanup_behavior=2)).status == 0
    assert client.call("dynamicload/UnloadModels", unload).status == 1
    details = refused(grpc.StatusCode.UNIMPLEMENTED, client.call, "xos/ListHelloWorldService")
    assert details == "Method not found!", details
    done("Delete, UnloadModels")


class Wire(object):
    """Carries one connection to the server, and keeps what the client sent."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.sent = bytearray()
        self.closed_by_server = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.server = socket.create_connection((host, int(port)))
        threading.Thread(target=self.carry, daemon=True).start()

    def carry(self):
        client = self.listener.accept()[0]
        threading.Thread(target=self.back, args=(client,), daemon=True).start()
        try:
            for data in iter(lambda: client.recv(65536), b""):
                self.sent += data
                self.server.sendall(data)
        finally:
            self.server.close()

    def back(self, client):
        for data in iter(lambda: self.server.recv(65536), b""):
            client.sendall(data)
        self.closed_by_server = True
        client.close()

    def pings(self):
        """How many pings of HTTP/2 the client sent, without its answers to those of the server."""
        sent, at, found = bytes(self.sent), len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0
        while at + 9 <= len(sent):
            length, kind, flags = int.from_bytes(sent[at : at + 3], "big"), sent[at + 3], sent[at + 4]
            found += kind == 6 and not flags & 1
            at += 9 + length
        return found


def idle(address):
    wire = Wire(address)
    options = [
        ("grpc.keepalive_time_ms", 1000),
        ("grpc.keepalive_timeout_ms", 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    channel = grpc.insecure_channel(wire.address, options)
    states = []
    channel.subscribe(states.append)
    call = channel.unary_unary("/xos.utility/NoOp", empty_pb2.Empty.SerializeToString, empty_pb2.Empty.FromString)
    call(empty_pb2.Empty(), timeout=60)
    before = wire.pings()
    time.sleep(5)
    pings = wire.pings() - before
    assert pings >= 3, pings
    # Only one connection is carried: a second one would not be answered.
    call(empty_pb2.Empty(), timeout=10)
    ready = grpc.ChannelConnectivity.READY
    assert not wire.closed_by_server and ready in states and states[-1] == ready, states
    channel.close()
    done("%d pings in 5 s without a call, and the connection is still there" % pings)


def main(address, user, password_file):
    with open(password_file) as file:
        password = file.readline().rstrip("\n")
    client = log_in(address, user, password)
    load(client)
    made = objects(client)
    filters(client, made)
    reflection(client)
    delete(client, made)
    idle(address)
    done("everything")


if __name__ == "__main__":
    main(*sys.argv[1:])
