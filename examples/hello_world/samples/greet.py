import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

channel = grpc.insecure_channel("unix:hello-world.db.sock")
xos = DescriptorPool(ProtoReflectionDescriptorDatabase(channel)).FindServiceByName("xos.xos")


def call(name, **fields):
    method = xos.FindMethodByName(name)
    request, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    rpc = channel.unary_unary(f"/xos.xos/{name}", request.SerializeToString, answer.FromString)
    return rpc(request(**fields))


for greeting in call("ListHelloWorldServiceInstance").items:
    changed = call("UpdateHelloWorldServiceInstance", id=greeting.id, hello_to=sys.argv[1])
    print(f"{greeting.name}: {greeting.hello_to} -> {changed.hello_to}")
