"""Serves a sweep trainer written in Python: what trainerplugin/README.md asks of a process.

serve(describe=…, check=…, train=…, stop=…) takes functions of a request and a gRPC
context; it returns when the host ends the process. Needs grpcio, protobuf and
cryptography, and trainer_pb2.py, which protoc writes from trainer.proto.
"""
import base64, datetime, os, signal, sys, threading
from concurrent import futures

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
import trainer_pb2 as pb

SERVICE = "sweep.trainer.v1.Trainer"


def certificate():
    """A key and a self-signed certificate for this process alone, in PEM and DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=1)).not_valid_after(now + datetime.timedelta(days=365))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256()))
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return secret, cert.public_bytes(pem), cert.public_bytes(serialization.Encoding.DER)


def serve(describe, check, train, stop):
    if os.environ.get("SWEEP_TRAINER_PLUGIN") != "e6f3d1c0-dp-sgd-trainer":
        sys.exit("This is a sweep trainer: name it in a sweep file, `trainer: {command: [python3, FILE]}`.")
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the host says when to end, not the terminal or Slurm
        signal.signal(s, lambda *_: None)

    def unary(f, request):
        return grpc.unary_unary_rpc_method_handler(f, request.FromString, lambda reply: reply.SerializeToString())

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {
        "Describe": unary(describe, pb.DescribeRequest),
        "Check": unary(check, pb.CheckRequest),
        "Stop": unary(stop, pb.StopRequest),
        "Train": grpc.unary_stream_rpc_method_handler(train, pb.TrainRequest.FromString, lambda e: e.SerializeToString()),
    }),))
    secret, pem, der = certificate()
    socket = os.path.join(os.environ["PLUGIN_UNIX_SOCKET_DIR"], "trainer.sock")
    server.add_secure_port("unix:" + socket, grpc.ssl_server_credentials(
        [(secret, pem)], root_certificates=os.environ["PLUGIN_CLIENT_CERT"].encode(), require_client_auth=True))
    server.start()
    print("1|1|unix|%s|grpc|%s" % (socket, base64.b64encode(der).decode().rstrip("=")), flush=True)
    threading.Event().wait()
