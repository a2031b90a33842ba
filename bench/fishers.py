"""Fisher traces in PyTorch, in the ways that people use: one example at a time, functorch's vmap of
grad, and the norms of per-example gradients from inputs and output gradients, of many examples at
once or of few, whose columns stay in cache. Each takes a net in evaluation mode, images and labels
(None: drawn from the model), and gives the sum over the examples of |d log p(y|x) / dw|^2."""

import torch
from torch import nn
from torch.nn import functional as F

LAYOUTS = {"NCHW": torch.contiguous_format, "NHWC": torch.channels_last}
ELEMENTS = 1 << 26  # of per-example gradients at a time under vmap


def draw(logits):
    return torch.distributions.Categorical(logits=logits).sample()


def fisher_loop(net, x, labels):
    """One example at a time."""
    params, total = list(net.parameters()), 0.0
    for i in range(len(x)):
        logits = net(x[i:i + 1])
        y = draw(logits.detach()) if labels is None else labels[i:i + 1]
        grads = torch.autograd.grad(F.cross_entropy(logits, y), params)
        total += sum(g.pow(2).sum() for g in grads).item()
    return total


def fisher_vmap(net, x, labels):
    from functorch import grad, make_functional_with_buffers, vmap

    function, params, buffers = make_functional_with_buffers(net)

    def loss(params, buffers, example, y):
        return F.cross_entropy(function(params, buffers, example[None]), y[None])

    if labels is None:
        with torch.no_grad():
            labels = draw(net(x))
    chunk = max(1, min(len(x), ELEMENTS // sum(p.numel() for p in params)))
    total = 0.0
    for i in range(0, len(x), chunk):
        grads = vmap(grad(loss), (None, None, 0, 0))(params, buffers, x[i:i + chunk], labels[i:i + chunk])
        total += sum(g.pow(2).sum() for g in grads).item()
    return total


def norm_conv(m, x, g):
    """The gradient itself, or the products of inputs times those of gradients: whichever is less."""
    columns = F.unfold(x, m.kernel_size, padding=m.padding, stride=m.stride)  # N, C R S, L
    g = g.flatten(2)
    D, L, O = columns.shape[1], columns.shape[2], g.shape[1]
    if L * (D + O) < D * O:
        total = (columns.transpose(1, 2).bmm(columns) * g.transpose(1, 2).bmm(g)).sum()
    else:
        total = g.bmm(columns.transpose(1, 2)).pow(2).sum()
    return total if m.bias is None else total + g.sum(2).pow(2).sum()


def norm_linear(m, x, g):
    x2 = x.pow(2).sum(1)
    return ((x2 if m.bias is None else x2 + 1) * g.pow(2).sum(1)).sum()


def norm_batchnorm(m, x, g):
    shape = (1, -1) + (1,) * (x.dim() - 2)
    xhat = (x - m.running_mean.view(shape)) * (m.running_var + m.eps).rsqrt().view(shape)
    dgamma, dbeta = g * xhat, g
    if x.dim() == 4:
        dgamma, dbeta = dgamma.sum((2, 3)), dbeta.sum((2, 3))
    return dgamma.pow(2).sum() + dbeta.pow(2).sum()


NORMS = {nn.Conv2d: norm_conv, nn.Linear: norm_linear, nn.BatchNorm1d: norm_batchnorm,
         nn.BatchNorm2d: norm_batchnorm}


def fisher_norm(net, x, labels):
    """One backward pass for the gradients by every layer's output, none by a parameter."""
    seen = []

    def keep(module, inputs, output):
        output = output if output.requires_grad else output.requires_grad_()
        seen.append((module, inputs[0].detach(), output))
        return output

    hooks = [m.register_forward_hook(keep) for m in net.modules() if type(m) in NORMS]
    net.requires_grad_(False)
    logits = net(x)
    y = draw(logits.detach()) if labels is None else labels
    grads = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), [s[2] for s in seen])
    with torch.no_grad():
        total = sum(NORMS[type(m)](m, x, g) for (m, x, _), g in zip(seen, grads)).item()
    net.requires_grad_(True)
    for hook in hooks:
        hook.remove()
    return total


def fisher_norm16(net, x, labels):
    return sum(fisher_norm(net, x[i:i + 16], None if labels is None else labels[i:i + 16])
               for i in range(0, len(x), 16))


FISHERS = {"loop": fisher_loop, "vmap": fisher_vmap, "norm": fisher_norm, "norm16": fisher_norm16}
